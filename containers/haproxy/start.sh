#!/bin/bash
# Serves by /etc/haproxy/haproxy.cfg. Where there is no certificate yet, one is made that only who is told of it trusts.
set -euo pipefail
folder=/etc/haproxy/certificates
if [ ! -s $folder/shop.pem ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -addext basicConstraints=critical,CA:FALSE \
    -keyout /tmp/key.pem -out $folder/self-signed.pem 2>/dev/null
  cat $folder/self-signed.pem /tmp/key.pem > /tmp/shop.pem
  mv /tmp/shop.pem $folder/shop.pem
  rm /tmp/key.pem
fi
exec haproxy -db -f /etc/haproxy/haproxy.cfg
