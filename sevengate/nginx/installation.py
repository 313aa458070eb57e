"""Finds the NGINX of this machine and what it needs to run Lua.

It looks at PATH and the folders of Debian's packages and gives an Installation: the executable, its version, and where
its modules and Lua's libraries lie. What is missing raises NginxMissingError, whose text is the command that installs
it. Nothing is started here but `nginx -V`; running it is left to process.py, and what the version means for directives
to static.py.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

#: What Debian and Ubuntu call the packages that hold all of it.
APT_COMMAND: Final = "apt-get install nginx libnginx-mod-http-lua lua-resty-core lua-resty-lrucache lua-cjson"
#: NGINX's modules in the order in which they must be loaded: Lua builds on the development kit.
MODULES: Final = ("ndk_http_module.so", "ngx_http_lua_module.so")

_SEARCHED: Final = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin"
_LUA_FOLDERS: Final = ("/usr/local/share/lua/5.1", "/usr/share/lua/5.1")
_LUA_LIBRARIES: Final = ("/usr/local/lib/lua/5.1", "/usr/lib/*/lua/5.1", "/usr/lib/lua/5.1")


class NginxError(Exception):
    """NGINX did not do what it was asked; the text says what it said."""


class NginxMissingError(NginxError):
    """NGINX, or a part that it needs, is not installed; the text says how to get it."""

    def __init__(self, part: str) -> None:
        super().__init__(f"{part} is not installed; on Debian or Ubuntu: {APT_COMMAND}")


class Installation(msgspec.Struct, frozen=True):
    """An NGINX that can run Lua. `lua_path` and `lua_cpath` are in Lua's form: templates joined by `;`."""

    executable: str
    version: tuple[int, int, int]
    modules: tuple[str, ...]
    lua_path: str
    lua_cpath: str


def find_installation(path: str | None = None) -> Installation:
    """Find NGINX on `path` (by default PATH) and its Lua; raise NginxMissingError."""
    executable = shutil.which("nginx", path=path) or shutil.which("nginx", path=_SEARCHED if path is None else "")
    if executable is None:
        raise NginxMissingError("nginx")
    version, modules = _built(executable)
    resty = _folder("lua-resty-core", _LUA_FOLDERS, "resty/core.lua")
    lrucache = _folder("lua-resty-lrucache", _LUA_FOLDERS, "resty/lrucache.lua")
    cjson = _folder("lua-cjson", _LUA_LIBRARIES, "cjson.so")
    return Installation(
        executable=executable,
        version=version,
        modules=tuple(_module(modules, name) for name in MODULES),
        lua_path=";".join(
            f"{folder}/{form}" for folder in _distinct(resty, lrucache) for form in ("?.lua", "?/init.lua")
        ),
        lua_cpath=f"{cjson}/?.so",
    )


def _built(executable: str) -> tuple[tuple[int, int, int], Path]:
    try:
        said = subprocess.run([executable, "-V"], capture_output=True, text=True, check=False).stderr  # noqa: S603 - found above
    except PermissionError as error:
        # The image's NGINX has a capability of its own, which the kernel refuses where the container may not have it.
        raise NginxError(
            f"{executable} cannot be started: {error.strerror}; a container needs the capability NET_BIND_SERVICE"
        ) from error
    version = re.search(r"nginx version: \S+?/(\d+)\.(\d+)\.(\d+)", said)
    if version is None:
        raise NginxMissingError(f"an nginx that tells its version (asked {executable} -V)")
    prefix = re.search(r"--prefix=(\S+)", said)
    modules = re.search(r"--modules-path=(\S+)", said)
    folder = modules[1] if modules else f"{prefix[1] if prefix else '/usr/local/nginx'}/modules"
    return (int(version[1]), int(version[2]), int(version[3])), Path(folder)


def _module(folder: Path, name: str) -> str:
    if not (folder / name).is_file():
        raise NginxMissingError(f"nginx's module {name} (looked in {folder})")
    return str(folder / name)


def _folder(part: str, patterns: tuple[str, ...], file: str) -> str:
    for pattern in patterns:
        for found in sorted(Path("/").glob(f"{pattern[1:]}/{file}")):
            return str(found)[: -len(file) - 1]
    raise NginxMissingError(part)


def _distinct(*folders: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folders))
