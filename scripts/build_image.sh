#!/usr/bin/env bash
# Builds the image without a Docker engine, by buildah. Needs root: see make_base_image.sh, which it calls.
# The build uses pip's settings of this machine: PIP_CERT, PIP_EXTRA_INDEX_URL and PIP_FIND_LINKS are passed on,
# and the files that they name are mounted at paths that exist in the base image.
#
#   scripts/build_image.sh [NAME]      then e.g. buildah push NAME docker-archive:impasto.tar
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/buildah.sh
. scripts/buildah.sh

name=${1:-impasto}
need buildah
scripts/make_base_image.sh "$(awk '$1 == "FROM" { print $2; exit }' Dockerfile)"

options=()
if [ -n "${PIP_CERT:-}" ]; then
	authorities=/etc/ssl/certs/ca-certificates.crt
	options+=(--build-arg "PIP_CERT=$authorities" --volume "$PIP_CERT:$authorities:ro")
fi
if [ -n "${PIP_EXTRA_INDEX_URL:-}" ]; then
	options+=(--build-arg "PIP_EXTRA_INDEX_URL=$PIP_EXTRA_INDEX_URL")
fi
if [ -d "${PIP_FIND_LINKS:-}" ]; then
	options+=(--build-arg PIP_FIND_LINKS=/mnt --volume "$PIP_FIND_LINKS:/mnt:ro")
elif [ -n "${PIP_FIND_LINKS:-}" ]; then
	options+=(--build-arg "PIP_FIND_LINKS=$PIP_FIND_LINKS")
fi
buildah build --pull-never --format docker --tag "$name" "${options[@]}" .
