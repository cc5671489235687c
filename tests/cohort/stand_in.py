"""A stand-in for `ccta analyse` that makes a case in a moment, so that the engine of cohorts can be tested for what it does around it.

The study is a text file of words: sleep=S, memory=MIB, refuse (exit 2), crash (dies of a signal), full (as on a full disk).
"""

import json
import os
import signal
import sys
import time
from pathlib import Path


def main(words: list[str]) -> int:
    source, case, stages = Path(words[0]), Path(words[1]), words[words.index("--stages") + 1].split(",")
    asked = dict(word.partition("=")[::2] for word in (source.read_text().split() if source.is_file() else []))
    files = sum(one.is_file() for one in source.rglob("*")) if source.is_dir() else 1
    case.mkdir(parents=True, exist_ok=True)
    record = case / "case.json"
    done = json.loads(record.read_text()) if record.exists() else {"stages": {}}
    ended = []
    for stage in stages:
        status = "current" if stage in done["stages"] else "done"
        ended.append({"name": stage, "status": status, "seconds": 0.0, "reason": ""})
        if status == "current":
            continue
        hold = bytearray(int(asked.get("memory", 0)) * 2**20)
        time.sleep(float(asked.get("sleep", 0)))
        if "refuse" in asked:
            print("ccta: this study is no CT image; give another", file=sys.stderr)
            return 2
        if "full" in asked:
            print("ccta: image.nii.gz could not be written (No space left on device); free some space", file=sys.stderr)
            return 2
        if "crash" in asked:
            os.kill(os.getpid(), signal.SIGSEGV)
        done["stages"][stage] = {"settings": {}, "versions": {"ccta-workstation": "0"}, "inputs": {"files": files}, "outputs": {"size": len(hold)}}
        (case / f".partial-{os.getpid()}").write_text(json.dumps(done))
        os.replace(case / f".partial-{os.getpid()}", record)
    (case / "findings.json").write_text(json.dumps({"schema": "1.0", "patient": {"id": case.name}}))
    print(json.dumps({"case": str(case), "stages": ended}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
