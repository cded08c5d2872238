# shellcheck shell=bash
# For the scripts beside it: buildah so that it needs no daemon, no overlay file system and no namespaces.
# To see what they made: STORAGE_DRIVER=vfs buildah images
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

# need PROGRAM...: install, from Debian's packages of the same names, those that are missing; else say so.
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
