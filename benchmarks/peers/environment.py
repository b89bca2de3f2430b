"""Each peer's own environment: made on first use from its requirements.txt, beside it, under no version control."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
PEERS = ("splink", "recordlinkage", "dedupe", "custmatch", "goldenmatch")


class NotInstalledError(Exception):
    """The environment of a peer could not be made; the message says what pip said last."""


def python_of(peer: str, folder: Path = HERE) -> Path:
    """The interpreter of the peer's environment, made or renewed when requirements.txt is not the one it was made from.

    NotInstalledError when pip fails, with its last words.
    """
    wanted = folder / peer / "requirements.txt"
    environment = folder / peer / ".venv"
    python, stamp = environment / "bin" / "python", environment / "made-from"
    mark = sha256(wanted.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == mark:
        return python
    _run(sys.executable, "-m", "venv", "--clear", str(environment))
    _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted))
    stamp.write_text(mark)
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise NotInstalledError(lines[0] if lines else f"{command[2]} ended with exit code {done.returncode}")
