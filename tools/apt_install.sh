#!/usr/bin/env bash
# Installs the Debian packages named as arguments. Runs as root; setup.sh calls it, through sudo where it must.
#
# The nginx package would start a service on port 80 and enable it for every boot. Sevengate starts its own NGINX, so
# that service is kept from starting while we install and is left disabled. One that was there before is not touched.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
nginx_is_new=true
dpkg-query --show --showformat '${db:Status-Status}' nginx 2>/dev/null | grep -qx installed && nginx_is_new=false

# invoke-rc.d and deb-systemd-invoke both ask this program before they start a service; 101 means no.
if $nginx_is_new && [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\ncase "$1" in nginx|nginx.service) exit 101 ;; esac\n' >"$policy"
    chmod 755 "$policy"
fi

# apt tells much that nobody needs unless it fails.
apt() {
    local output
    if ! output=$(DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" 2>&1 </dev/null); then
        echo "$output" >&2
        return 1
    fi
}
apt update || echo "setup: apt-get update failed; going on with the package lists that are here" >&2
apt install --yes --no-install-recommends "$@"

if $nginx_is_new && command -v systemctl >/dev/null; then
    systemctl disable --quiet nginx.service >/dev/null 2>&1 || true
    echo "setup: Debian's own nginx service stays stopped and disabled (systemctl enable --now nginx turns it on)"
fi
