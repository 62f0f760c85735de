#!/bin/sh
# Starts run.js with the Node that THALWEG_NODE names, the one the bundle carries, or that of the path.
set -e
here=$(cd "$(dirname "$0")" && pwd)
node=${THALWEG_NODE:-}
if [ -z "$node" ] && [ -f "$here/node.xz" ]; then
  node=${TMPDIR:-/tmp}/thalweg-node-$(cksum <"$here/node.xz" | tr ' ' -)
  if [ ! -x "$node" ]; then
    if command -v xz >/dev/null 2>&1; then
      xz --decompress --stdout "$here/node.xz" >"$node.$$"
    else
      python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer)' \
        "$here/node.xz" >"$node.$$"
    fi
    chmod +x "$node.$$"
    mv "$node.$$" "$node"
  fi
fi
exec "${node:-node}" "$here/run.js" "$@"
