# shellcheck shell=bash
# Sourced by the other scripts: buildah without a daemon, an overlay file system or namespaces.
# To list the images: STORAGE_DRIVER=vfs buildah images
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

# need PROGRAM...: install missing programs from Debian's packages of the same names, or exit with a message.
need() {
	local program missing=()
	for program in "$@"; do
		command -v "$program" >/dev/null || missing+=("$program")
	done
	if [ ${#missing[@]} = 0 ]; then
		return
	fi
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
	else
		echo "Missing: ${missing[*]}. On Debian: sudo apt-get install ${missing[*]}" >&2
		exit 1
	fi
}
