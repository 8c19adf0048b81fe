// Flowshelf writes this file anew when it hands out the extension: where Flow is, and where Flowshelf is.
export const FLOW = "https://flow.google.com";
export const DASHBOARD = "http://127.0.0.1:8765";
