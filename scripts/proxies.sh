#!/usr/bin/env bash
# Sees to it that what `make proxies` runs is there: the Debian packages are installed if they are
# missing, without starting their services.
set -euo pipefail

is_there() {
  PATH=$PATH:/usr/sbin
  command -v nginx && command -v haproxy && command -v openssl && command -v curl &&
    [[ -e /usr/lib/nginx/modules/ngx_stream_module.so ]]
} >/dev/null

packages=(nginx-light libnginx-mod-stream haproxy openssl curl)
install() {
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet "${packages[@]}" >/dev/null
}

is_there && exit
echo "installing ${packages[*]}"
install || { apt-get update --quiet >/dev/null && install; } || true
is_there || {
  echo "nginx with its stream module, HAProxy, openssl or curl is missing: install ${packages[*]}" >&2
  exit 1
}
