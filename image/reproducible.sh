#!/bin/sh
# Show that the same inputs give the same layers: reproducible.sh
# Builds the image once more without any cache, and compares the digests of all layers above the base with those of the
# image that `make image` gave. Where they differ, says which files do. Needs an engine: image/with-engine runs this.
set -eu
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
base=${HEADGATE_BASE:-$(sed -n 's/^ARG BASE=//p' Dockerfile)}
first=${HEADGATE_IMAGE:-headgate:latest}
again=headgate:again
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

layers() { "$docker" image inspect --format '{{range .RootFS.Layers}}{{println .}}{{end}}' "$1" | sed '/^$/d'; }

listing() { # listing IMAGE: each file of its layers above the base, with its kind, owner, time, size and sum
    "$docker" save "$1" | tar -x -C "$scratch"
    python3 - "$scratch" "$(layers "$base" | wc -l)" <<'END'
import hashlib, json, sys, tarfile
from pathlib import Path
folder, below = Path(sys.argv[1]), int(sys.argv[2])
for number, layer in enumerate(json.loads((folder / "manifest.json").read_text())[0]["Layers"][below:], 1):
    with tarfile.open(folder / layer) as tar:
        for one in tar:
            content = hashlib.sha256(tar.extractfile(one).read()).hexdigest()[:12] if one.isreg() else one.linkname
            print(f"layer {number}: /{one.name} {one.mode:o} {one.uid}:{one.gid} {one.mtime} {one.size} {content}")
END
    find "$scratch" -mindepth 1 -delete
}

image/build
HEADGATE_IMAGE=$again image/build --no-cache --build-arg GOCACHE=/tmp/no-cache
above() { layers "$1" | tail -n "+$(($(layers "$base" | wc -l) + 1))"; }
if [ "$(above "$first")" = "$(above "$again")" ]; then
    echo "the same $(above "$again" | wc -l) layers above $base:"
    above "$again"
    exit 0
fi
echo "these files differ between two builds of the same:" >&2
one=$(mktemp) && other=$(mktemp)
listing "$first" >"$one"
listing "$again" >"$other"
diff "$one" "$other" >&2 || true
rm -f "$one" "$other"
exit 1
