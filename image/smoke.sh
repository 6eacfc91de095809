#!/bin/sh
# Prove that the image works: smoke.sh [IMAGE]
# Every tool and the demo run as a uid that the image does not know, on a read-only root, without any network, with the
# script on the standard input of a shell as GitLab's runner gives it. Needs an engine: image/with-engine runs this.
set -eu
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
image=${1:-${HEADGATE_IMAGE:-headgate:latest}}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "$image: $*" >&2
    exit 1
}

config() { "$docker" image inspect --format "$1" "$image"; }

pinned() { sed -n "s|^[[:space:]]*$1 v\([^ ]*\).*|\1|p" image/go.mod; }

expect() { # expect WHAT WANTED FOUND
    [ "$2" = "$3" ] || fail "$1 is '$3' and not '$2'"
}

run() { # run ARGUMENTS OF docker run..., with a script on standard input
    "$docker" run --rm --interactive --network none --read-only --tmpfs /tmp:mode=1777 --cap-drop ALL \
        --security-opt no-new-privileges "$@"
}

version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/headgate/__init__.py)
expect "its user" 1001:0 "$(config '{{.Config.User}}')"
expect "its ENTRYPOINT" "[]" "$(config '{{.Config.Entrypoint}}')"
expect "its version" "$version" "$(config '{{index .Config.Labels "org.opencontainers.image.version"}}')"
[ "$(config '{{index .Config.Labels "org.opencontainers.image.revision"}}')" ] || fail "no revision in its labels"

# A checkout as a runner leaves it: of another owner, and with files that a job's environment names.
mkdir -p "$scratch/trap/headgate"
git init -q "$scratch/checkout"
git -C "$scratch/checkout" -c user.name=Smoke -c user.email=smoke@example.com commit -q --allow-empty -m "A commit"
echo 'print("TRAPPED by Python"); raise SystemExit(9)' | tee "$scratch/trap/sitecustomize.py" "$scratch/trap/typing.py" \
    "$scratch/trap/headgate/__init__.py" >/dev/null
echo 'echo TRAPPED by the shell; exit 9' >"$scratch/trap/profile"
chmod -R a+rX "$scratch"

run --user 54321:54321 --env WANTED="headgate=$version helm=$(pinned helm.sh/helm/v4) kustomize=$(pinned sigs.k8s.io/kustomize/kustomize/v5)" \
    --volume "$scratch:/builds:ro" "$image" /bin/sh <image/smoke-inside.sh || fail "see above"
run --user 1001:0 "$image" /bin/sh <<'END' || fail "its own user cannot use ssh"
set -e
test "$(whoami)" = headgate
ssh -V 2>&1 | grep -q OpenSSH
ssh-keygen -q -t ed25519 -N '' -f /tmp/key
test -s /tmp/key.pub
END
echo "$image: works as another user, read-only and without a network"
