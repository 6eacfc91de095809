# shellcheck shell=sh
# What image/smoke.sh runs in the image. /builds/checkout is a repository of another owner; /builds/trap holds what must
# never run.
set -eu

fail() {
    echo "$*" >&2
    exit 1
}

shows() { # shows TEXT COMMAND...
    text=$1
    shift
    "$@" 2>&1 | grep -qF -e "$text" || fail "'$*' does not show '$text' but: $("$@" 2>&1 | tail -n 3)"
}

for pair in $WANTED; do
    name=${pair%%=*}
    shows "$name ${pair#*=}" headgate --version
    shows "${pair#*=}" headgate version
done
shows "sandbox    seccomp" headgate version
shows "git version" git --version
test -s /etc/ssl/certs/ca-certificates.crt || fail "no certificates"
shows "A commit" git -C /builds/checkout log -1

# Nothing in a job's environment chooses what runs: neither for Python nor for the shell that the runner starts.
cd /builds/trap
export PYTHONPATH=/builds/trap PYTHONHOME=/builds/trap PYTHONSTARTUP=/builds/trap/profile PYTHONINSPECT=1 \
    BASH_ENV=/builds/trap/profile ENV=/builds/trap/profile
shows "headgate " headgate --version
shows kustomize headgate version
! { headgate --version; echo true | sh; } 2>&1 | grep -F TRAPPED || fail "a job's environment chose what ran"
if [ -x /bin/bash ] || command -v bash; then fail "there is a bash, which the runner would take and which reads BASH_ENV"; fi
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT BASH_ENV ENV
cd /

# The quickest of five: a busy machine says nothing of the program.
quickest=$(for _ in 1 2 3 4 5; do
    begin=$(date +%s%N) && headgate --version >/dev/null && echo $((($(date +%s%N) - begin) / 1000000))
done | sort -n | head -n 1)
echo "headgate --version: $quickest ms"
[ "$quickest" -lt 300 ] || fail "it is to start in less than 300 ms"

# All four engines, hand-offs, proposals, a template change; then nothing is left to do.
headgate demo --directory /tmp/demo >/tmp/demo.log 2>&1 || fail "the demo failed: $(tail -n 20 /tmp/demo.log)"
headgate hydrate --manifests /tmp/demo/manifest-repo --check || fail "the demo's final YAML is not what it should be"
shows "@sha256:" cat /tmp/demo/manifest-repo/deploy/dev/shop/deployment.apps-shop.yaml

# The bill of materials has as many packages of each kind as there are, and the notices are there.
cd /usr/share/doc/headgate
told() { grep -c "^ *\"purl\": \"pkg:$1/" sbom.cdx.json; }
same() { [ "$2" = "$3" ] || fail "the bill of materials has $3 packages of $1, where $2 are"; }
same Debian "$(dpkg-query -W | wc -l)" "$(told deb)"
same Python "$(find /opt/headgate/lib -name '*.dist-info' ! -name 'headgate-*' | wc -l)" "$(told pypi)"
# A replacement ("=>") counts instead of the line before it; what is built from a folder ("(devel)") is the project's own.
modules() {
    awk -F '\t' '$2 != "=>" && last { print last } { last = "" } $2 ~ /^(dep|mod|=>)$/ { last = $3 " " $4 }' ./*.modules |
        grep -v '(devel)' | sort -u
}
same "Go, with its own library," "$(($(modules | wc -l) + 1))" "$(told golang)"
for notice in notices-go.txt notices-python.txt; do
    [ "$(grep -c '^Source: ' $notice)" -gt 20 ] || fail "$notice is short of notices"
done
test -z "$(ls -A /run/secrets 2>/dev/null)" || fail "something is left of the build's secrets"
