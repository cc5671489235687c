"""Sets up everything: finds or fetches Python 3.12, makes .venv, installs the pinned packages, checks the system libraries.

Run by `make setup`; needs nothing but a Python 3.8 or newer. Quick when nothing has changed: the hash of the lock file is kept in .venv.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from glob import glob

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
LOCK = os.path.join(ROOT, "requirements.lock")
STAMP = os.path.join(VENV, "ccta-setup")
LIBRARIES = "libgl1 libglu1-mesa libxrender1 libxcursor1 libxft2 libxinerama1 libegl1 libgl1-mesa-dri fonts-noto-cjk gcc libc6-dev"
PROBE = """
import ctypes
for name in ("GL.so.1", "GLU.so.1", "Xrender.so.1", "Xcursor.so.1", "Xft.so.2", "Xinerama.so.1", "EGL.so.1"):
    ctypes.CDLL("lib" + name)
import gmsh, vtk
"""


def stop(sentence):
    sys.exit("setup: " + sentence)


def quiet(*command):
    """True if the command runs and succeeds; its output is dropped."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def loud(*command):
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        stop("this command failed: " + " ".join(command))


def is_312(candidate):
    return quiet(candidate, "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))")


def find_python():
    """A Python 3.12 on the PATH or among pyenv's versions; None if there is none."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    if not os.path.isdir(pyenv) and shutil.which("pyenv"):
        pyenv = subprocess.run(["pyenv", "root"], stdout=subprocess.PIPE, text=True).stdout.strip()
    candidates = ["python3.12", "python3", sys.executable, *sorted(glob(os.path.join(pyenv, "versions", "3.12*", "bin", "python3.12")))]
    return next((c for c in candidates if is_312(c)), None)


def make_venv():
    """.venv with Python 3.12 and uv in it. Without a Python 3.12 here, uv fetches one."""
    if is_312(PYTHON) and quiet(PYTHON, "-m", "uv", "--version"):
        return
    python = find_python()
    if python:
        loud(python, "-m", "venv", "--clear", VENV)
    else:
        uv = shutil.which("uv") or stop("Python 3.12 was not found; install it (for example `apt-get install python3.12` or `pip install uv`) and run again")
        loud(uv, "venv", "--clear", "--seed", "--python", "3.12", VENV)
    loud(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv")


def install_packages():
    loud(PYTHON, "-m", "uv", "pip", "install", "--quiet", "--python", PYTHON, "--require-hashes", "-r", LOCK)
    loud(PYTHON, "-m", "uv", "pip", "install", "--quiet", "--python", PYTHON, "--no-deps", "--editable", ROOT)


def missing_libraries():
    fonts = shutil.which("fc-list") is None or "CJK" in subprocess.run(["fc-list"], stdout=subprocess.PIPE, text=True).stdout
    return not (quiet(PYTHON, "-c", PROBE) and shutil.which("cc") and fonts)


def check_libraries():
    """Installs what gmsh, VTK and the DOLFINx compiler need with apt-get when it may; else prints the one command."""
    if not missing_libraries():
        return
    command = "apt-get update && apt-get install -y " + LIBRARIES
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.run(command, shell=True, env=environment, stdout=subprocess.DEVNULL)
    if missing_libraries():
        stop("system libraries are missing; install them with:\n    sudo sh -c '" + command + "'")


def check_peers():
    """For the tests: a browser, a PACS, a database server, DICOM tools. Tests of what is not there are skipped and say so."""
    wanted = {"chromium": "chromium", "Orthanc": "orthanc orthanc-dicomweb", "dsrdump": "dcmtk", "openssl": "openssl", "sshd": "openssh-server"}
    wanted["slurmctld"] = "slurmctld slurmd slurm-client munge"
    missing = [packages for program, packages in wanted.items() if not shutil.which(program)]
    if not glob("/usr/lib/postgresql/*/bin/initdb"):
        missing.append("postgresql")
    if not missing:
        return
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        for packages in missing:
            command = "apt-get update && apt-get install -y " + packages
            subprocess.run(command, shell=True, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"), stdout=subprocess.DEVNULL)
    else:
        print("setup: tests that need these packages will be skipped: " + " ".join(missing))


def stamp_there():
    if not (os.path.exists(STAMP) and os.path.exists(PYTHON)):
        return ""
    with open(STAMP) as file:
        return file.read()


def wanted_stamp():
    with open(LOCK, "rb") as lock, open(os.path.join(ROOT, "pyproject.toml"), "rb") as project, open(__file__, "rb") as me:
        return hashlib.sha256(lock.read() + project.read() + me.read() + ROOT.encode()).hexdigest()


def main():
    if "--tests" in sys.argv:
        check_peers()
    stamp = wanted_stamp()
    if stamp_there() == stamp:
        return
    print("setup: installing the pinned packages into .venv (about 9 GB on disk; a minute or more the first time)", flush=True)
    make_venv()
    install_packages()
    check_libraries()
    with open(STAMP, "w") as file:
        file.write(stamp)
    print("setup: done")


if __name__ == "__main__":
    main()
