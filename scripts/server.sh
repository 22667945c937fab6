# Sourced by the scripts that need a running server: build_server builds target/debug/chasqui; find_server
# sees to one in CHASQUI_BIN; start_server COMMAND... starts it in the background, waits for the line
# that names its address and sets `url`. It ends with the script.

# As the tests are built: they ask for more of the dependencies, so that a plain build would compile
# all of them a second time.
build_server() {
  cargo test --quiet --no-run --test command_line
}

# The one that CHASQUI_BIN names, or else the debug build.
find_server() {
  [[ -z "${CHASQUI_BIN:-}" ]] || return 0
  build_server
  export CHASQUI_BIN=target/debug/chasqui
}

start_server() {
  server_dir=$(mktemp -d)
  "$@" >"$server_dir/stdout" 2>"$server_dir/stderr" &
  server_pid=$!
  trap stop_server EXIT
  local deadline=$((SECONDS + 60))
  until url=$(sed -n 's/^listening on \(https\{0,1\}:[^ ]*\).*/\1/p' "$server_dir/stdout") && [[ -n "$url" ]]; do
    if ! kill -0 "$server_pid" 2>/dev/null || ((SECONDS > deadline)); then
      echo "the server did not start:" >&2
      cat "$server_dir/stderr" >&2
      return 1
    fi
    sleep 0.05
  done
}

stop_server() {
  local status=$?
  kill "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
  if ((status)); then
    echo "last lines of the server's log:" >&2
    tail -n 40 "$server_dir/stderr" >&2
  fi
  rm -rf "$server_dir"
}
