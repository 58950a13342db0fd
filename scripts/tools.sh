# What the scripts need and how to get it, each by its package name. To be sourced.

apt_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        return 1
    fi
    echo "installing with apt-get: $*"
    apt-get -o DPkg::Lock::Timeout=300 update -qq
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "$@" >/dev/null
}

# The cryptography library is compiled from C.
need_compiler() {
    command -v cc >/dev/null && return
    apt_install gcc libc6-dev || { echo "a C compiler is needed: install gcc" >&2; exit 2; }
}

need_nextest() {
    cargo nextest --version >/dev/null 2>&1 && return
    echo "installing with cargo: cargo-nextest"
    cargo install --quiet --locked cargo-nextest
}

# A real servlet container to stand in front of. Tests that want it say so aloud where it is not.
need_tomcat() {
    [ -f /usr/share/tomcat10/lib/catalina.jar ] && command -v java >/dev/null && return
    apt_install tomcat10-common default-jre-headless ||
        echo "SKIPPED: no Tomcat, and it cannot be installed here (package tomcat10-common)"
}

# The corpus runner signs its tokens with it. Sets `python`.
need_cryptography() {
    python=python3
    python3 -c 'import cryptography' 2>/dev/null && return
    local venv=target/venv
    if [ ! -x "$venv/bin/python" ]; then
        echo "installing with pip: cryptography"
        python3 -m venv "$venv" 2>/dev/null || { apt_install python3-venv && python3 -m venv "$venv"; }
        "$venv/bin/pip" install --quiet cryptography
    fi
    python=$venv/bin/python
}
