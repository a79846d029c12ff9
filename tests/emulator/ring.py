"""Deploys the template to an emulator of AWS and runs it there. usage: ring.py SAM PROGRAMS ZIPS MAPMILL

SAM is the SAM command line, PROGRAMS the folder of ministack, ZIPS that of the functions' zips, MAPMILL the program.
"""

import pathlib
import sys
import tempfile
import time

import roles
import runs
from emulator import UNKNOWN, Emulator

PARAMETERS = {"SourceBucket": "raw", "SourcePrefix": "in/", "OutputBucket": "clean", "OutputPrefix": "out/", "Architecture": "x86_64"}


def main(sam, programs, zips, mapmill):
    for kind, text, answer in UNKNOWN:
        print(f"left out: {kind}{' with ' + text.strip(': ' + chr(10)) if text else ''}: {answer}")
    for enforces_roles, check in [(True, with_roles), (False, runs.all_of_them)]:
        with tempfile.TemporaryDirectory() as folder, Emulator(folder, programs, enforces_roles) as emulator:
            start = time.monotonic()
            packed = pathlib.Path(folder) / "zips"
            if enforces_roles:
                packed = zips
            else:
                packed.mkdir()
                runs.wrapped(zips, packed)
            outputs = emulator.deploy(sam, packed, PARAMETERS)
            print(f"deployed with SAM in {time.monotonic() - start:.0f} s, roles {'enforced' if enforces_roles else 'not enforced'}")
            try:
                check(emulator, outputs, pathlib.Path(mapmill))
            except Exception:
                print((emulator.folder / "emulator.log").read_text(errors="replace")[-4000:], file=sys.stderr)
                raise


def with_roles(emulator, outputs, _):
    roles.transform(emulator)
    print("role of transform: its work is allowed, four other places are refused")
    roles.plan(emulator)
    print("role of plan: its work is allowed, three other places are refused")
    roles.report(emulator)
    print("role of report: its work is allowed, another place is refused")
    for name in ["simple", "nested", "packed", "repair"]:
        allowed, refused = roles.machine(emulator, name, outputs)
        print(f"role of {name}: {allowed} calls allowed, {refused} refused")


if __name__ == "__main__":
    main(*[str(pathlib.Path(argument).absolute()) for argument in sys.argv[1:]])
