#!/usr/bin/env bash
# Starts coturn for Footlight in the foreground.
#   TURN_SECRET_FILE=/etc/footlight/turn.secret TURN_REALM=turn.example deploy/coturn/start.sh [turnserver's own options]
# TURN_SECRET_FILE  holds the secret that the node has, too (`relays` in its configuration)
# TURN_REALM        a name for this relay, shown to nobody
# TURN_LISTEN       addresses to listen on, separated by spaces; default: all
# TURN_EXTERNAL     public address, where the machine stands behind NAT: 203.0.113.7 or 203.0.113.7/10.0.0.7
# TURN_CERT, TURN_KEY  PEM files: with them `turns:` is served on port 5349
set -euo pipefail
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${TURN_SECRET_FILE:?names the file with the secret}" "${TURN_REALM:?names the realm}"
secret=$(tr -d '\r\n' <"$TURN_SECRET_FILE")
[ ${#secret} -ge 16 ] || { echo "start.sh: $TURN_SECRET_FILE holds fewer than 16 characters" >&2; exit 1; }
command -v turnserver >/dev/null || { echo "start.sh: there is no turnserver; apt-get install coturn" >&2; exit 1; }

# In a file that only this user reads, for the command line is everybody's to see.
settings=$(mktemp)
trap 'rm -f "$settings"' EXIT
chmod 600 "$settings"
{
  cat "$folder/turnserver.conf"
  echo "static-auth-secret=$secret"
  echo "realm=$TURN_REALM"
  for address in ${TURN_LISTEN:-}; do echo "listening-ip=$address"; echo "relay-ip=$address"; done
  [ -z "${TURN_EXTERNAL:-}" ] || echo "external-ip=$TURN_EXTERNAL"
  if [ -n "${TURN_CERT:-}" ]; then echo "cert=$TURN_CERT"; echo "pkey=${TURN_KEY:?beside TURN_CERT}"; else echo no-tls; echo no-dtls; fi
} >"$settings"

turnserver -c "$settings" "$@" &
relay=$!
trap 'kill -TERM "$relay" 2>/dev/null' TERM INT
wait "$relay" || true
while kill -0 "$relay" 2>/dev/null; do wait "$relay" || true; done
