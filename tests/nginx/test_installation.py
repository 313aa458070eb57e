from pathlib import Path

import pytest

from sevengate.nginx.installation import NginxError, find_installation


def test_an_nginx_that_may_not_be_started_is_named(tmp_path: Path) -> None:
    program = tmp_path / "nginx"
    program.write_text("#!/etc/passwd\n", encoding="ascii")  # the kernel refuses this interpreter even to root
    program.chmod(0o755)
    with pytest.raises(NginxError, match=f"{program} cannot be started: Permission denied; .* NET_BIND_SERVICE"):
        find_installation(str(tmp_path))
