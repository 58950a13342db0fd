#!/usr/bin/env bash
# curl. Prints what it found, a line a step: its name, a tab, the finding.
#   curl.sh BASE TOKEN CA OPTION…
base=$1 token=$2 ca=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ask() { curl --silent --show-error --max-time 60 ${ca:+--cacert "$ca"} "$@"; }
options=("$@")
said() { printf '%s\t%s\n' "$1" "$2"; }
code() { sed -n 's/.*"code" *: *"\([^"]*\)".*/\1/p' "$1"; }
sha() { sha256sum "$1" | cut -d' ' -f1; }
out=$folder/out

said open "$(ask "${options[@]}" -o "$out" -w '%{http_code}' "$base/open/hello") $(cat "$out")"
status=$(ask "${options[@]}" -D "$folder/head" -o "$out" -w '%{http_code}' -d '{}' "$base/api/guarded")
grep -qi '^www-authenticate' "$folder/head" && challenged=true || challenged=false
said refused "$status $challenged $(code "$out")"
status=$(ask "${options[@]}" -o "$out" -w '%{http_code}' -H 'Authorization: Bearer x.y.z' -d '{}' "$base/api/guarded")
said bad "$status $(code "$out")"
printf '{"delta":-1}' >"$folder/body"
status=$(ask "${options[@]}" -o "$out" -w '%{http_code}' -H "Authorization: Bearer $token" \
    --data-binary @"$folder/body" "$base/api/guarded")
[ "$(cat "$out")" = "$(sha "$folder/body")" ] && same=true || same=false
said allowed "$status $same"
head -c 1048576 /dev/zero >"$folder/upload"
status=$(ask "${options[@]}" -o "$out" -w '%{http_code}' -X POST -H "Authorization: Bearer $token" \
    -H 'Transfer-Encoding: chunked' -T "$folder/upload" "$base/api/guarded")
[ "$(cat "$out")" = "$(sha "$folder/upload")" ] && same=true || same=false
said upload "$status $same"
status=$(ask "${options[@]}" -o "$out" -w '%{http_code}' "$base/open/large")
said large "$status $(stat -c %s "$out") $(sha "$out")"
ask "${options[@]}" -N "$base/open/events" | { first=
    count=0
    while IFS= read -r line; do
        case $line in data:*) count=$((count + 1)); [ -n "$first" ] || first=$(date +%s%N) ;; esac
    done
    [ $(($(date +%s%N) - first)) -gt 400000000 ] && late=true || late=false
    said events "$count $late"; }
size=$(ask "${options[@]}" -I -D "$folder/head" -o /dev/null -w '%{size_download}' "$base/open/large")
said head "$(sed -n '1s/^[^ ]* \([0-9]*\).*/\1/p' "$folder/head") $(sed -n 's/^content-length: *\([0-9]*\).*/\1/Ip' "$folder/head") $size"
said empty "$(ask "${options[@]}" -o "$out" -w '%{http_code} %{size_download}' "$base/open/empty")"
status=$(ask "${options[@]}" -D "$folder/head" -o /dev/null -w '%{http_code}' "$base/open/moved")
said moved "$status $(sed -n 's/^location: *\([^\r]*\).*/\1/Ip' "$folder/head")"
said gzip "$(ask "${options[@]}" --compressed "$base/open/gzip")"
query='/open/query?x=%7B%22a%22%3A1%7D&list=a&list=b&slash=%2F+'
[ "$(ask "${options[@]}" "$base$query")" = "$query" ] && same=true || same=false
said query $same
# What is cut off after a second ends with an error, and that is meant.
curl --silent --max-time 1 ${ca:+--cacert "$ca"} "${options[@]}" -o /dev/null "$base/open/endless"
said "after a break" "$(ask "${options[@]}" -o /dev/null -w '%{http_code}' "$base/open/hello")"
if [ "${options[0]}" = --http2-prior-knowledge ]; then
    # curl 7 cannot use such a connection twice, whoever it talks to.
    for _ in {1..250}; do ask "${options[@]}" "$base/open/hello"; done >"$out"
    said many "$(grep -o hello "$out" | wc -l)"
else
    ask "${options[@]}" "$base/open/hello?[1-200]" >"$out"
    good=$(grep -o hello "$out" | wc -l)
    ask "${options[@]}" -Z --parallel-max 50 "$base/open/hello?[1-50]" >"$out"
    said many $((good + $(grep -o hello "$out" | wc -l)))
fi
