"""Examples of pages that talk to `unify serve`: the service runs for real, on a free port instead of the one on the page."""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field

ON_THE_PAGE = "127.0.0.1:8330"
START_S = 60


@dataclass
class Served:
    """The services that one page started. `told`: text of the page with the real address in it."""

    running: list[subprocess.Popen] = field(default_factory=list)
    address: str = ON_THE_PAGE

    def start(self, words):
        """`unify serve …` in the background; answers as soon as it says its address."""
        command = [sys.executable, "-m", "unify", *words, "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.running.append(process)
        line = process.stdout.readline()
        found = re.match(r"https?://(\S+?:\d+)", line)
        if not found:
            process.terminate()
            _, errors = process.communicate(timeout=START_S)
            raise AssertionError(f"{shlex.join(words)} did not start: {line}{errors}")
        self.address = found[1]

    def told(self, text):
        return text.replace(ON_THE_PAGE, self.address)

    def curl(self, line):
        """One line of curl, which has to succeed; its output is compared with `# → …` where the line ends so."""
        command, _, expected = self.told(line).partition("  # → ")
        words = shlex.split(command)
        done = subprocess.run(
            [*words, "--silent", "--show-error", "--fail-with-body", "--max-time", "30"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        if expected:
            assert done.stdout.strip() == expected.strip(), line

    def stop(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.communicate(timeout=30)
        self.running.clear()
