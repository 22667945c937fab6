#!/usr/bin/env bash
# Downloads Apache Cassandra from Maven Central into target/cassandra/lib (100 jars, 67 MB), unless
# it is there. Needs JDK 17 and Maven, which it installs where apt-get can.
set -euo pipefail
cd "$(dirname "$0")/../.."
home=target/cassandra

has_tools() { command -v java && command -v mvn; } >/dev/null
has_tools || {
  echo "installing a JDK 17 and Maven"
  install() {
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet openjdk-17-jre-headless maven >/dev/null
  }
  install || { apt-get update --quiet >/dev/null && install; } || true
  has_tools || { echo "java or mvn is missing: install JDK 17 and Maven" >&2; exit 1; }
}

# Two runs at once would take turns; the second finds everything there.
mkdir -p "$home"
exec 9>"$home/lock"
flock 9
if [[ ! -e $home/installed || scripts/cassandra/pom.xml -nt $home/installed ]]; then
  echo "downloading Apache Cassandra into $home/lib"
  rm -rf "$home/lib"
  mvn --quiet --batch-mode --file scripts/cassandra/pom.xml dependency:copy-dependencies \
    -DoutputDirectory="$PWD/$home/lib" -DincludeScope=runtime
  touch "$home/installed"
fi
