/** Why a call was not carried out. `code`: signed_out, no_tab, offline, too_large, odd. */
export class Refusal extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}
