#!/usr/bin/env bash
# A whole session with curl alone: two people register, one opens a chat and writes, the other
# receives, acknowledges and signs out.
#
#   scripts/tour.sh [http://127.0.0.1:8080]
#
# Without a URL it starts a server of its own. Prints each request with its answer and stops at the
# first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -gt 0 ]]; then
  url=$1
else
  source scripts/server.sh
  build_server
  start_server target/debug/chasqui serve --dev --listen 127.0.0.1:0
fi

# ask METHOD PATH TOKEN [BODY]: prints the exchange, leaves the answer in `answer`.
ask() {
  local method=$1 path=$2 token=$3 body=${4:-}
  echo "> $method $path $body"
  answer=$(curl --silent --show-error --fail-with-body --request "$method" "$url$path" \
    ${token:+--header "Authorization: Bearer $token"} ${body:+--json "$body"})
  echo "< ${answer:-(nothing)}" | sed -E 's/(_token":"[^"]{12})[^"]*/\1.../g'
}

# field NAME: a number or a text of the last answer.
field() {
  sed -E "s/.*\"$1\":\"?([^,\"}]+).*/\1/" <<<"$answer"
}

run=$(date +%s%N)
ask POST /register "" "{\"username\": \"ana-$run\", \"password\": \"a long password\"}"
ana=$(field access_token)
ask POST /register "" "{\"username\": \"ben-$run\", \"password\": \"another password\"}"
ask POST /login "" "{\"username\": \"ben-$run\", \"password\": \"another password\"}"
ben=$(field access_token)
ben_user=$(field user)
ask POST /chats "$ana" "{\"kind\": \"direct\", \"user\": $ben_user}"
chat=$(field chat)
ask POST /message/send "$ana" "{\"chat\": $chat, \"client_id\": 1, \"text\": \"hello\"}"
# The same again is found, not stored.
ask POST /message/send "$ana" "{\"chat\": $chat, \"client_id\": 1, \"text\": \"hello\"}"
[[ $(field duplicate) == true ]]
ask GET "/message/receive?wait=5" "$ben"
grep -q '"text":"hello"' <<<"$answer"
ask POST /message/receive "$ben" "{\"acks\": [{\"chat\": $chat, \"sequence\": 1}], \"wait\": 0}"
if grep -q '"text":"hello"' <<<"$answer"; then
  echo "what was acknowledged came again" >&2
  exit 1
fi
ask POST "/chats/$chat/read" "$ben" '{"sequence": 1}'
ask POST /logout "$ben"
if curl --silent --fail --output /dev/null "$url/chats" --header "Authorization: Bearer $ben"; then
  echo "a token that was signed out still opens something" >&2
  exit 1
fi
echo "the tour is over: ben's token opens nothing any more"
