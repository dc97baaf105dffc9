// Checks a directory of C2SP tlog-tiles with filippo.io/torchwood, a public implementation:
//
//	torchwood DIR LOG_VKEY WITNESS_VKEY
//
// opens the checkpoint under the log's key and the witness's, reads every entry through the tiles and prints
// "entries N witnessed UNIX-SECONDS". Any disagreement ends it with status 1.
package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type folder string

func (f folder) ReadTiles(_ context.Context, tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(filepath.Join(string(f), torchwood.TilePath(t)))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f folder) ReadEndpoint(_ context.Context, path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), path))
}

// publicOnly is a key that can only be verified with: the library makes verifiers from signers.
type publicOnly ed25519.PublicKey

func (p publicOnly) Public() crypto.PublicKey { return ed25519.PublicKey(p) }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("a public key")
}

func cosignatureVerifier(vkey string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, key, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 33 || raw[0] != 4 {
		return nil, errors.New("no verifier key of a witness")
	}
	signer, err := torchwood.NewCosignatureSigner(name, publicOnly(raw[1:]))
	if err != nil {
		return nil, err
	}
	if got := signer.Verifier().String(); got != vkey {
		return nil, fmt.Errorf("the library writes this key %s", got)
	}
	return signer.Verifier(), nil
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir, logKey, witnessKey string) error {
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}
	witness, err := cosignatureVerifier(witnessKey)
	if err != nil {
		return err
	}
	f := folder(dir)
	signed, err := f.ReadEndpoint(context.Background(), "checkpoint")
	if err != nil {
		return err
	}
	n, err := note.Open(signed, note.VerifierList(log, witness))
	if err != nil {
		return err
	}
	if len(n.Sigs) != 2 {
		return fmt.Errorf("%d good signatures", len(n.Sigs))
	}
	at, err := torchwood.CosignatureTimestamp(n.Sigs[1])
	if err != nil {
		return err
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(f)
	if err != nil {
		return err
	}
	// An iteration stops before a partial tile that it does not begin in: a monitor would wait for it to fill.
	count := int64(0)
	for before := int64(-1); before < count && count < c.N; {
		before = count
		for i, entry := range client.Entries(context.Background(), c.Tree, count) {
			if i != count || !strings.Contains(string(entry), `"index":`+fmt.Sprint(i)+`,`) {
				return fmt.Errorf("entry %d is another one", i)
			}
			count++
		}
		if err := client.Err(); err != nil {
			return err
		}
	}
	fmt.Printf("entries %d of %d witnessed %d\n", count, c.N, at)
	return nil
}
