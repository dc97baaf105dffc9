// A reading of docs/pseudonym-spec.md in another language: it recomputes the published vectors from their inputs.
//
// It was written from the pages and the RFCs that they name, and is meant to be read beside them by whoever writes a
// client. It is no client: keys lie about in memory, and nothing is checked that the vectors do not ask for.
//
//	go run . ../../vectors
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Hex is bytes that stand as hex in the vectors.
type Hex []byte

// UnmarshalJSON reads hex.
func (h *Hex) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	made, err := hex.DecodeString(text)
	*h = made
	return err
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func raw(list []Hex) [][]byte {
	out := make([][]byte, len(list))
	for i, one := range list {
		out[i] = one
	}
	return out
}

// Reader checks one file of vectors, and counts.
type Reader struct {
	directory, file string
	cases, wrong    int
}

func (r *Reader) read(file string, into any) {
	r.file = file
	data, err := os.ReadFile(filepath.Join(r.directory, file))
	must(err)
	must(json.Unmarshal(data, into))
}

// check compares what was made with what is published.
func (r *Reader) check(what string, made, published any) {
	r.cases++
	one, other := shown(made), shown(published)
	if one != other {
		r.wrong++
		fmt.Printf("%s: %s: made %s, published %s\n", r.file, what, one, other)
	}
}

func shown(value any) string {
	switch v := value.(type) {
	case []byte:
		return hex.EncodeToString(v)
	case Hex:
		return hex.EncodeToString(v)
	case [][]byte:
		parts := []string{}
		for _, one := range v {
			parts = append(parts, hex.EncodeToString(one))
		}
		return strings.Join(parts, " ")
	case error:
		return v.Error()
	}
	made, err := json.Marshal(value)
	must(err)
	return string(made)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: reading VECTORS (the folder with pseudonym/, persons/ and schemes/)")
		os.Exit(2)
	}
	r := &Reader{directory: os.Args[1]}
	for _, one := range []func(*Reader){
		readKeys, readPseudonyms, readDifferent, readSessions, readSeals, readBadSeals, readEnvelopes, readCanonicalFile,
		readRegisterDigest, readOblivious, readEvaluations, readPersons, readSchemes,
	} {
		one(r)
	}
	fmt.Printf("%d values compared, %d differ\n", r.cases, r.wrong)
	if r.wrong > 0 {
		os.Exit(1)
	}
}
