#!/usr/bin/env bash
# node.sh start|wait|stop|kill DIR: one node of Apache Cassandra with all of its files in DIR.
#
# start: begins to start it and returns. From the environment, kept in DIR/settings for a restart:
#   PORT, STORAGE_PORT  free ones unless given; the nodes of a cluster have the same
#   ADDRESS             127.0.0.1; each node of a cluster on this machine has its own
#   SEEDS, TOKEN        of a cluster: all addresses, and this node's share of the ring
#   HEAP                512M
#   SECURE              1: encrypted connections only, by a certificate of DIR/tls/authority.pem, for
#                       whoever logs in; at first that is cassandra, password cassandra
#   THROWAWAY           true: it is never started again, so changes of the schema need not be synced
# wait:  returns once it takes statements, and prints its address and port.
# stop:  ends it cleanly.  kill: kill -9, returns when it is gone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lib=$here/../../target/cassandra/lib

command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
if [[ -e $dir/settings ]]; then
  # shellcheck source=/dev/null
  source "$dir/settings"
fi

is_running() { [[ -s $dir/pid ]] && kill -0 "$(<"$dir/pid")" 2>/dev/null; }

# A node must know its ports before it starts, so they are only likely to be free.
free_ports() {
  python3 - "$ADDRESS" <<'PYTHON'
import socket, sys
sockets = [socket.create_server((sys.argv[1], 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))
PYTHON
}

# Makes an authority, and by it a certificate for the node's address.
certify() {
  mkdir "$dir/tls"
  local new=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  openssl req -x509 "${new[@]}" -days 2 -subj /CN=authority \
    -keyout "$dir/tls/authority.key" -out "$dir/tls/authority.pem"
  openssl req "${new[@]}" -subj /CN=node -keyout "$dir/tls/node.key" -out "$dir/tls/node.csr"
  openssl x509 -req -in "$dir/tls/node.csr" -days 2 -CAcreateserial \
    -CA "$dir/tls/authority.pem" -CAkey "$dir/tls/authority.key" \
    -extfile <(echo "subjectAltName = IP:$ADDRESS") -out "$dir/tls/node.pem"
  openssl pkcs12 -export -in "$dir/tls/node.pem" -inkey "$dir/tls/node.key" \
    -passout pass:test -out "$dir/tls/node.p12"
} 2>/dev/null

settle() {
  ADDRESS=${ADDRESS:-127.0.0.1} SEEDS=${SEEDS:-${ADDRESS:-127.0.0.1}}
  TOKEN=${TOKEN:-0} HEAP=${HEAP:-512M} SECURE=${SECURE:-} THROWAWAY=${THROWAWAY:-false}
  if [[ -z ${PORT:-} || -z ${STORAGE_PORT:-} ]]; then
    read -r port storage_port < <(free_ports)
    PORT=${PORT:-$port} STORAGE_PORT=${STORAGE_PORT:-$storage_port}
  fi
  declare -p ADDRESS SEEDS TOKEN HEAP SECURE THROWAWAY PORT STORAGE_PORT >"$dir/settings"
  mkdir -p "$dir/conf" "$dir/log" "$dir/tmp"
  local authenticator=AllowAllAuthenticator encrypted=false
  if [[ -n $SECURE ]]; then
    authenticator=PasswordAuthenticator encrypted=true
    [[ -e $dir/tls ]] || certify
  fi
  sed -e "s|@TOKEN@|$TOKEN|; s|@SEEDS@|$SEEDS|; s|@ADDRESS@|$ADDRESS|" \
    -e "s|@STORAGE_PORT@|$STORAGE_PORT|; s|@PORT@|$PORT|; s|@DIR@|$dir|" \
    -e "s|@AUTHENTICATOR@|$authenticator|; s|@ENCRYPTED@|$encrypted|" \
    "$here/cassandra.yaml.in" >"$dir/conf/cassandra.yaml"
}

# What Cassandra needs to reach of the JDK.
opened=(jdk.internal.loader jdk.internal.ref jdk.internal.reflect jdk.internal.math
  jdk.internal.module jdk.internal.util.jar java.lang.module java.lang java.lang.reflect java.io
  java.nio java.util java.util.concurrent java.util.concurrent.atomic sun.nio.ch)
exported=(java.base/jdk.internal.misc java.base/java.lang.ref
  java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry
  java.rmi/sun.rmi.server java.sql/java.sql jdk.unsupported/sun.misc jdk.attach/sun.tools.attach)

start() {
  is_running && { echo "it runs already" >&2; exit 1; }
  settle
  [[ ! -e $dir/log/system.log ]] || mv "$dir/log/system.log" "$dir/log/system.log.before"
  local modules=()
  for package in "${opened[@]}"; do modules+=(--add-opens "java.base/$package=ALL-UNNAMED"); done
  for package in "${exported[@]}"; do modules+=(--add-exports "$package=ALL-UNNAMED"); done
  modules+=(--add-exports jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED
    --add-opens jdk.compiler/com.sun.tools.javac=ALL-UNNAMED
    --add-opens jdk.management/com.sun.management.internal=ALL-UNNAMED)
  nohup setsid java -Xms"$HEAP" -Xmx"$HEAP" -Xss256k -XX:+UseG1GC -XX:TieredStopAtLevel="${TIER:-4}" \
    -XX:MaxDirectMemorySize=256M -XX:ReservedCodeCacheSize=96M -XX:+ExitOnOutOfMemoryError \
    -XX:+PerfDisableSharedMem -javaagent:"$lib"/jamm-0.4.0.jar -Djdk.attach.allowAttachSelf=true \
    "${modules[@]}" -Dio.netty.tryReflectionSetAccessible=true -Djava.net.preferIPv4Stack=true \
    -Djava.io.tmpdir="$dir/tmp" -Djna.tmpdir="$dir/tmp" \
    -Dcassandra.config="file://$dir/conf/cassandra.yaml" -Dcassandra.storagedir="$dir" \
    -Dcassandra.logdir="$dir/log" -Dlogback.configurationFile="$here/logback.xml" \
    -Dcassandra-foreground=yes -Dcassandra.ring_delay_ms=2000 \
    -Dcassandra.unsafesystem="$THROWAWAY" -Dcassandra.skip_wait_for_gossip_to_settle=0 \
    -Dcassandra.superuser_setup_delay_ms=0 \
    -cp "$(printf '%s:' "$lib"/*.jar)" org.apache.cassandra.service.CassandraDaemon \
    </dev/null >"$dir/log/output" 2>&1 &
  echo $! >"$dir/pid"
}

# After kill -9 the old process's port may still answer, so the log has to agree.
wait_until_ready() {
  local deadline=$((SECONDS + 180))
  until grep -q 'Startup complete' "$dir/log/system.log" 2>/dev/null &&
    (exec 3<>"/dev/tcp/$ADDRESS/$PORT") 2>/dev/null; do
    if ! is_running || ((SECONDS > deadline)); then
      echo "Cassandra did not start:" >&2
      tail -n 20 "$dir/log/output" "$dir/log/system.log" >&2
      exit 1
    fi
    sleep 0.1
  done
  echo "$ADDRESS:$PORT"
}

stop() {
  is_running || return 0
  local pid=$(<"$dir/pid") deadline=$((SECONDS + 30))
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do
    ((SECONDS <= deadline)) || kill -9 "$pid" 2>/dev/null || true
    sleep 0.05
  done
  rm "$dir/pid"
}

kill_it() {
  is_running || return 0
  local pid=$(<"$dir/pid")
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  rm "$dir/pid"
}

case $command in
  start) start ;;
  wait) wait_until_ready ;;
  stop) stop ;;
  kill) kill_it ;;
  *) sed -n 's/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
