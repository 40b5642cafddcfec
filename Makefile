# Everything a contributor runs. It needs Go. Other missing programs are installed if that is possible, or named.

# The race detector needs a C compiler. By default it sleeps for a second at the exit of each program, which is each
# package's tests and each command line that they run.
RACE := -race
export GORACE := atexit_sleep_ms=0
FUZZTIME ?= 10s
LINT := bin/golangci-lint run --timeout=10m

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: postgres ## run the demo, on a throw-away Postgres; ARGS="--once --json" and the like are passed on
	@go build -o bin/spadmin ./cmd/spadmin
	@exec bin/spadmin demo $(ARGS)

.PHONY: test
test: postgres compiler modules ## run all tests of the module with the race detector; ARGS="-run Sweep -v" go to go test
	bin/withpg -- go test $(RACE) -timeout=20m $(ARGS) ./...

.PHONY: fuzz
fuzz: modules ## run every fuzz test, one after another, each for FUZZTIME=10s
	tools/fuzz.sh $(FUZZTIME)

.PHONY: integration
integration: postgres compiler browser ## run the tests that need containers or other people's libraries; SENDPROMPTLY_POSTGRES_VERSIONS="15 17"
	cd integration && ../bin/withpg -- go test $(RACE) -timeout=40m $(ARGS) ./...

.PHONY: bench
bench: postgres ## measure the cost for an app and the speed, in at most 90 minutes; QUICK=1 takes four; ARGS="--only flow" and the like are passed on
	cd integration && go run ./bench $(if $(QUICK),--quick) $(ARGS)

.PHONY: soak
soak: postgres ## make ten million transitions on a throw-away Postgres, in twenty minutes or more; ARGS="--idle 1,100" and the like are passed on
	cd integration && go run ./soak $(ARGS)

.PHONY: generate
generate: bin/sqlc ## generate the queries' Go code and the documents
	bin/sqlc generate
	go generate ./...

.PHONY: verify
verify: verify-format verify-vet verify-generated verify-lint verify-vulnerabilities ## check format, generated files, lint and known vulnerabilities

.PHONY: verify-format verify-vet verify-generated verify-lint verify-vulnerabilities
verify-format:
	@bad=$$(gofmt -l .) && { [ -z "$$bad" ] || { echo "not formatted by gofmt:"; echo "$$bad"; exit 1; }; }

verify-vet:
	go vet ./...
	cd integration && go vet ./...
	GOOS=windows go build ./... # apps are built elsewhere too

# Finds generated files that do not match their sources. Existing changes do not count, so that it can run before a
# commit.
verify-generated: bin/sqlc
	bin/sqlc diff
	go mod tidy -diff
	cd integration && go mod tidy -diff
	@before=$$(git diff | cksum) && go generate ./... && after=$$(git diff | cksum) && \
	  { [ "$$before" = "$$after" ] || { echo "go generate changed:"; git diff --stat; exit 1; }; }

verify-lint: bin/golangci-lint
	$(LINT) ./...
	cd integration && ../$(LINT) ./...

# The database of vulnerabilities is on the network. A machine without network can still check the rest.
verify-vulnerabilities: bin/govulncheck
	@if out=$$(bin/govulncheck ./... 2>&1); then echo "no known vulnerabilities"; \
	elif echo "$$out" | grep -q 'fetching vulnerabilities'; then \
	  echo "vulnerabilities not checked: $$(echo "$$out" | grep 'fetching vulnerabilities' | head -1)"; \
	else echo "$$out"; exit 1; fi

# A Postgres for the tests and the demo: any that withpg finds, otherwise Debian's package. The server that the package
# starts is not used.
.PHONY: postgres
postgres: bin/withpg
	@bin/withpg -find >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && tools/need.sh postgresql; } || true
	@bin/withpg -find >/dev/null

# Downloads all modules, even those that only a test's own app needs: tests use no network.
.PHONY: modules
modules:
	@go mod download

.PHONY: compiler
compiler:
	@command -v gcc >/dev/null || command -v cc >/dev/null || tools/need.sh gcc libc6-dev

# The console's tests open it in Chromium.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || tools/need.sh chromium

# Always built: Go knows better than make whether it is up to date.
.PHONY: bin/withpg
bin/withpg:
	@go build -o bin/withpg ./internal/localpg/withpg

bin/sqlc bin/golangci-lint bin/govulncheck: tools/go.mod tools/go.sum
	cd tools && CGO_ENABLED=0 go build -o ../$@ $$(go list -f '{{.ImportPath}}' tool | grep '/$(@F)$$')
