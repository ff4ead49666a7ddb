#!/bin/sh
# Tests a client with the mock, in plain shell: start it, let it misbehave, run the client, see what was sent.
# Needs `trunkmock` in the path, and curl. The mock ends with this script, however that ends: it holds the mock's stdin.
set -eu

folder=$(mktemp -d)
mkfifo "$folder/stdin"
trunkmock --port 0 --ready-file "$folder/ready.json" --exit-with-stdin --log-level warning \
    < "$folder/stdin" > "$folder/log" 2>&1 &
exec 3> "$folder/stdin"
trap 'exec 3>&-; wait; rm -rf "$folder"' EXIT
until [ -e "$folder/ready.json" ]; do sleep 0.1; done

base_url=$(sed 's/.*"base_url": "\([^"]*\)".*/\1/' "$folder/ready.json")
controls="${base_url%/api/v1}/_mock"
json='Content-Type: application/json'

# An environment of the test's own, so that tests can run at once.
token=$(curl -sf "$controls/environments" -H "$json" -d '{"name": "shell"}' | sed 's/.*"token":"\([^"]*\)".*/\1/')

# The next create is refused with 429; the client is to wait as long as Retry-After says, and try again.
curl -sf "$controls/environments/shell/faults" -H "$json" -o /dev/null \
    -d '{"operations": ["create_sip_trunk"], "times": 1, "status": 429, "retry_after": 1}'

# The client under test: curl waits for a Retry-After by itself.
curl -sf --retry 2 "$base_url/sip-trunks" -H "Authorization: Bearer $token" -H "$json" -o /dev/null -d '{
    "name": "Main", "provider_name": "carrier-x", "domain": "sip.carrier.example",
    "username": "user_42", "password": "a-secret-password", "transport": "udp"}'

# One call says whether that is what happened; with -f a miss ends this script.
curl -sf "$controls/journal/verify" -H "$json" -o /dev/null -d '{
    "environment": "shell",
    "expect": [
        {"operation": "create_sip_trunk", "fields": {"transport": "udp"}, "count": 2},
        {"operation": "create_sip_trunk", "status": 201, "count": 1},
        {"operation": "create_sip_trunk", "broken": true, "count": 0}
    ]}'
echo ok
