#!/usr/bin/env bash
# Builds the image without a Docker engine, by buildah. Needs root: see make_base_image.sh, which it calls.
# What pip uses here it uses in the build as well: PIP_CERT, PIP_EXTRA_INDEX_URL and PIP_FIND_LINKS are passed
# on, and files and folders that they name are mounted.
#
#   scripts/build_image.sh [NAME]      then e.g. buildah push NAME docker-archive:impasto.tar
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=buildah.sh
. scripts/buildah.sh

name=${1:-impasto}
need buildah
scripts/make_base_image.sh "$(awk '$1 == "FROM" { print $2; exit }' Dockerfile)"

options=()
for variable in PIP_CERT PIP_EXTRA_INDEX_URL PIP_FIND_LINKS; do
	value=${!variable:-}
	if [ -n "$value" ]; then
		options+=(--build-arg "$variable=$value")
	fi
	for path in $value; do
		if [ -e "$path" ]; then
			options+=(--volume "$path:$path:ro")
		fi
	done
done
buildah build --quiet --pull-never --format docker --tag "$name" "${options[@]}" .
