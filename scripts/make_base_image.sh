#!/usr/bin/env bash
# Makes the base image of the Dockerfile, for machines without access to a registry: a small Debian made by
# debootstrap, with this machine's sources of packages (mirrors, proxies, added certificate authorities), stored
# by buildah under the given name. Does nothing if buildah has that image already. Needs root, as debootstrap does.
#
#   scripts/make_base_image.sh [NAME]
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=scripts/buildah.sh
. ./buildah.sh

name=${1:-docker.io/library/debian:bookworm-slim}
suite=bookworm

if buildah inspect --type image "$name" >/dev/null 2>&1; then
	exit 0
fi
need buildah debootstrap

# This machine's lines of Debian's sources, if it runs the same release; else the default ones.
# shellcheck disable=SC2016
lines=$(apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
	'Created-By: Packages' 'Origin: Debian' 2>/dev/null | grep " $suite" || true)
mirror=$(awk -v suite="$suite" '$3 == suite { print $2; exit }' <<<"$lines")
if [ -z "$mirror" ]; then
	mirror=http://deb.debian.org/debian
	lines="deb $mirror $suite main
deb $mirror $suite-updates main
deb $mirror-security $suite-security main"
fi

container=$(buildah from scratch)
trap 'buildah rm "$container" >/dev/null' EXIT
root=$(buildah mount "$container")

echo "Making $name from $mirror" >&2
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" >&2
rm -f "$root/etc/apt/sources.list"
printf '%s\n' "$lines" >"$root/etc/apt/sources.list.d/debian.list"
if [ -d /etc/apt/apt.conf.d ]; then
	cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
fi
if [ -d /usr/local/share/ca-certificates ]; then
	cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
fi
chroot "$root" update-ca-certificates >&2
# Removed in "slim" images too.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* \
	"$root"/usr/share/{doc,info,locale,man}/*

buildah config --cmd bash "$container"
buildah commit --quiet --format docker "$container" "$name" >/dev/null
