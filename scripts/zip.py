"""Packs a program as Lambda wants it: one file `bootstrap` that may be run, with no time and no owner, so that the same
program is the same zip."""

import sys
import zipfile

program, archive = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
entry.create_system = 3  # Unix, whatever this machine is: else the permissions below are not read
entry.external_attr = 0o100755 << 16
entry.compress_type = zipfile.ZIP_DEFLATED
with open(program, "rb") as file, zipfile.ZipFile(archive, "w") as zip_file:
    zip_file.writestr(entry, file.read(), compresslevel=9)
