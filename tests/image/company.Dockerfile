# What the stages of the image that fetch do, in small: with image/network, from a company's own servers.
ARG BASE
FROM $BASE
RUN --mount=type=secret,id=ca --mount=type=secret,id=settings --mount=type=bind,source=image/network,target=/network \
    . /network && python3 -m venv /venv && /venv/bin/pip download --quiet --no-deps --dest /found company-package \
    && { apt-get update || true; }
