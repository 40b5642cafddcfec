# A client as the hosted product's public documentation describes it: curl, four
# headers and JSON. Needs URL and KEY; the other scripts begin by reading it.

set -eu

# call STATUS TEXT PATH BODY [ARGUMENTS OF CURL] sends BODY and ends the script
# unless the answer has the status and holds the text. The answer stays in $answer.
call() {
  want=$1 text=$2 path=$3 body=$4
  shift 4
  calls=$((${calls:-0} + 1))
  # A header that the caller gives takes the place of ours.
  for header in "Authorization: Bearer $KEY" "Idempotency-Key: $0-$calls" 'Content-Type: application/json' 'Accept: application/json'; do
    case "$*" in *"${header%%:*}:"*) ;; *) set -- "$@" --header "$header" ;; esac
  done
  answer=$(printf %s "$body" | curl --silent --show-error --max-time 30 --write-out '\n%{http_code}' \
    --data-binary @- "$@" "$URL$path")
  status=${answer##*
}
  case $status,$answer in
  "$want",*"$text"*) echo "ok $status $path" ;;
  *)
    echo "want $want with $text, got: $answer" >&2
    exit 1
    ;;
  esac
}

# member NAME prints a member of the last answer that is a string.
member() { printf %s "$answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
