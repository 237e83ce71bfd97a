#!/usr/bin/env bash
# The main job in miniature, without a model, a key or a download: draws a benchmark of twelve questions, starts
# eyechart's mock server, asks it everything, shows what comes of it and cleans up. Needs `eyechart` on the PATH.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
cleanup() {
    [ -z "${server:-}" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

python "$here/make_tiny_benchmark.py" "$work/data"

# The server prints its address once it listens, and ends with this script.
mkfifo "$work/address"
eyechart mock-server --port 0 --script-file "$work/data/answers.json" --latency 0.2 > "$work/address" &
server=$!
read -r line < "$work/address"
url=$(python -c 'import json, sys; print(json.loads(sys.argv[1])["url"])' "$line")

export LMUData=$work/data
eyechart eval --model mock-model --api-base "$url" --data Shapes --nproc 4 --work-dir "$work/outputs"

echo
echo "What a run leaves behind (removed now, as this was only a try):"
cd "$work/outputs"/*
find . -type f -not -name .lock | sort
echo
head -n 1 mock-model/Shapes/predictions.jsonl
