"""The full-text index, which every migration rebuilds, has letters without diacritics from now on."""


def up(migrator, db):
    pass
