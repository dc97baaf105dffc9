#!/bin/sh
# What continuous integration runs for a repository of purpose policies. Usage: ci.sh [BASE]
#
#   BASE  the branch or commit that the change is to be merged into, such as origin/main; without it nothing is compared.
#
# Fails when a file is refused or a person's answer is lacking (check), when a test fails or a line is held by no test
# (test --held), and when the change allows more than BASE does or a person must compare it (diff), unless
# ALLOWS_MORE=approved is set by whoever may approve that. Writes policy-tests.xml (JUnit) and policy-diff.txt for the review.
set -eu

folder=${POLICIES:-policies}
sluis=${SLUIS:-sluis}
base=${1:-}

"$sluis" policy check "$folder"
"$sluis" policy test "$folder" --held --junit policy-tests.xml

[ -n "$base" ] || exit 0
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
trap 'exit 1' HUP INT TERM
git archive "$(git merge-base "$base" HEAD)" -- "$folder" | tar -x -C "$before"

status=0
"$sluis" policy diff "$before/$folder" "$folder" >policy-diff.txt 2>&1 || status=$?
cat policy-diff.txt
if [ "$status" -eq 8 ] && [ "${ALLOWS_MORE:-}" = approved ]; then
  echo "ci: this allows more than $base or must be compared, and ALLOWS_MORE=approved says that somebody agreed"
  exit 0
fi
exit "$status"
