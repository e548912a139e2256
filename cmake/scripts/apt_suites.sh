# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that source this
# Sourced by scripts that take packages from another suite (release) of the machine's own distribution, Debian or
# Ubuntu. Which server to ask is taken from the machine's own apt configuration. Nothing of the system is changed: apt
# gets a configuration of its own, so this needs no root either.

# find_server: sets uri, signed ("[..] " or nothing) and component for find_suite. Returns 1 if apt names no source of
# Debian or Ubuntu.
find_server() {
  local source origin keyring
  # The machine's first package source of its own distribution: "URI|origin|keyring". apt replaces the placeholders
  # between quotes, and leaves alone those it does not know; without a keyring it trusts /etc/apt/trusted.gpg.d.
  # shellcheck disable=SC2016
  source=$(apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(SIGNED_BY)' 'Created-By: Packages' 2>/dev/null |
    grep -E '\|(Debian|Ubuntu)\|' | head -n 1) || return 1
  IFS='|' read -r uri origin keyring <<<"$source"
  case $keyring in
    /*) signed="[signed-by=$keyring] " ;;
    *) signed= ;;
  esac
  case $origin in
    Debian) newest_suites=(sid testing) component=main ;;
    Ubuntu) newest_suites=(devel) component=universe ;;
  esac
}

# private_apt FOLDER: sets apt_options, for an apt that keeps everything in FOLDER.
private_apt() {
  mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
  apt_options=(-o "Dir::Etc::sourcelist=$1/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$1/lists" -o "Dir::Cache=$1/cache" -o APT::Sandbox::User= -o Acquire::Languages=none)
}
