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

# Real servers to stand in front of. Where Debian's packages can be had, the tests insist on every one of them; elsewhere
# they say aloud which they leave out.
need_upstreams() {
    local lacking=()
    [ -f /usr/share/tomcat10/lib/catalina.jar ] || lacking+=(tomcat10-common)
    [ -f /usr/share/java/jetty9-servlet.jar ] || lacking+=(libjetty9-java)
    command -v javac >/dev/null || lacking+=(default-jdk-headless)
    NODE_PATH=/usr/share/nodejs node -e 'require("express")' 2>/dev/null || lacking+=(node-express nodejs)
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || lacking+=(nginx)
    local module
    for module in uvicorn starlette flask gunicorn; do
        /usr/bin/python3 -c "import $module" 2>/dev/null || lacking+=("python3-$module")
    done
    if ! command -v apt-get >/dev/null; then
        [ ${#lacking[@]} = 0 ] || echo "SKIPPED: tests with real servers, which are Debian packages: ${lacking[*]}" >&2
        return
    fi
    export WAXSEAL_UPSTREAMS=required
    [ ${#lacking[@]} = 0 ] || apt_install "${lacking[@]}" ||
        { echo "real servers are needed: apt-get install ${lacking[*]}" >&2; exit 2; }
}

# A Python that has libraries of its own for tokens and for HTTP. Sets `python`, to nothing where none can be had.
need_python() {
    local libraries='import cryptography, h2, httpx; from jwt import PyJWK' venv=target/venv
    for python in python3 "$venv/bin/python"; do
        "$python" -c "$libraries" 2>/dev/null && return
    done
    echo "installing with pip: cryptography, pyjwt, httpx[http2]"
    python3 -m venv "$venv" 2>/dev/null || { apt_install python3-venv && python3 -m venv "$venv"; } || true
    "$venv/bin/pip" install --quiet cryptography pyjwt 'httpx[http2]' && return
    python=
    echo "SKIPPED: no Python with cryptography, pyjwt and httpx[http2], and it cannot be installed here"
}

# Clients that are played against waxseal in the long run, beside that Python.
need_clients() {
    local lacking=()
    command -v curl >/dev/null || lacking+=(curl)
    command -v node >/dev/null || lacking+=(nodejs)
    command -v javac >/dev/null || lacking+=(default-jdk-headless)
    [ ${#lacking[@]} = 0 ] || apt_install "${lacking[@]}" ||
        { echo "clients are needed: install ${lacking[*]}" >&2; exit 2; }
}

# Counts which lines ran. Rust 1.95 writes what LLVM 22 reads.
need_coverage() {
    cargo llvm-cov --version >/dev/null 2>&1 || {
        echo "installing with cargo: cargo-llvm-cov"
        cargo install --quiet --locked cargo-llvm-cov
    }
    command -v llvm-cov-22 >/dev/null || apt_install llvm-22 ||
        { echo "llvm-cov of LLVM 22 is needed: install llvm-22" >&2; exit 2; }
    export LLVM_COV LLVM_PROFDATA
    LLVM_COV=$(command -v llvm-cov-22) LLVM_PROFDATA=$(command -v llvm-profdata-22)
}
