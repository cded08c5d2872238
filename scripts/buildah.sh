# shellcheck shell=bash
# Sourced by the other scripts: buildah without a daemon or namespaces.
# To list the images: bash -c '. scripts/buildah.sh; buildah images'

# has_overlay FOLDER: whether the kernel lays file systems over each other there, as it does not in most containers.
has_overlay() {
	local folder works=1
	mkdir -p "$1" 2>/dev/null && folder=$(mktemp -d "$1/overlay.XXXXXX" 2>/dev/null) || return 1
	mkdir "$folder"/{lower,upper,work,merged}
	if mount -t overlay -o "lowerdir=$folder/lower,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/merged" 2>/dev/null; then
		umount "$folder/merged"
		works=0
	fi
	rm -rf "$folder"
	return $works
}

# Elsewhere each layer is a copy of all files below it, which takes minutes.
if [ -z "${STORAGE_DRIVER:-}" ]; then
	if has_overlay /var/lib/containers; then STORAGE_DRIVER=overlay; else STORAGE_DRIVER=vfs; fi
fi
export STORAGE_DRIVER BUILDAH_ISOLATION=chroot

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
