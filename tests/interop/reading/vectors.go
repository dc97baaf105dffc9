package main

// One function for each file of tests/vectors/pseudonym (docs/pseudonym-spec.md section 8).

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"

	"github.com/cloudflare/circl/oprf"
)

// PublishedRow is a row as the vectors hold it, of either mode.
type PublishedRow struct {
	Scheme    string
	MatchKey  byte `json:"match_key"`
	Fields    []string
	X         Hex
	Private   Hex `json:"private_input"`
	Outputs   map[string]Hex
	Pseudonym Hex
	Y         Hex
}

func (r *Reader) row(name string, k []byte, c Context, p PublishedRow) {
	made := rowOf(k, c, p.Scheme, p.MatchKey, p.Fields)
	r.check(name+" x", made.X, p.X)
	r.check(name+" pseudonym", made.Pseudonym, p.Pseudonym)
	r.check(name+" y", made.Y, p.Y)
}

func readKeys(r *Reader) {
	var file struct {
		Key   Hex
		Cases []struct {
			Context Context
			KeyID   Hex `json:"key_id"`
			Match   Hex `json:"match_key"`
			Row     Hex `json:"row_key"`
		}
	}
	r.read("pseudonym/keys.json", &file)
	for _, one := range file.Cases {
		made := keysOf(file.Key, one.Context)
		r.check("key id", made.ID, one.KeyID)
		r.check("K_match", made.Match, one.Match)
		r.check("K_row", made.Row, one.Row)
	}
}

func readPseudonyms(r *Reader) {
	var file struct {
		Key     Hex
		Context Context
		Cases   []PublishedRow
	}
	r.read("pseudonym/pseudonyms.json", &file)
	for _, one := range file.Cases {
		r.row(one.Scheme, file.Key, file.Context, one)
	}
}

func readDifferent(r *Reader) {
	var file struct {
		Key   Hex
		Cases []struct {
			Name  string
			Sides []struct {
				Context Context
				PublishedRow
			}
		}
	}
	r.read("pseudonym/bad_pseudonyms.json", &file)
	for _, one := range file.Cases {
		for _, side := range one.Sides {
			r.row(one.Name, file.Key, side.Context, side.PublishedRow)
		}
		r.check(one.Name+" differs", bytes.Equal(one.Sides[0].Pseudonym, one.Sides[1].Pseudonym), false)
		r.check(one.Name+" differs", bytes.Equal(one.Sides[0].Y, one.Sides[1].Y), false)
	}
}

func readSessions(r *Reader) {
	var file struct {
		Key   Hex
		Cases []struct {
			Name, Asker, Exchange, Register string
			Context                         Context
			Number                          int `json:"match_key"`
			Pseudonym, Session              Hex
		}
	}
	r.read("pseudonym/sessions.json", &file)
	for _, one := range file.Cases {
		made := sessionPseudonym(file.Key, one.Context, one.Asker, one.Exchange, one.Number, one.Pseudonym)
		r.check(one.Name, made, one.Session)
	}
}

// PublishedRecord is a record as seals.json and bad_seals.json hold it.
type PublishedRecord struct {
	Name, Names string
	Record
	Sealed     map[string]Hex
	Commitment Hex
}

func (p PublishedRecord) sealed() map[string][]byte {
	out := map[string][]byte{}
	for name, data := range p.Sealed {
		out[name] = data
	}
	return out
}

func readSeals(r *Reader) {
	var file struct {
		Cases []struct {
			PublishedRecord
			Y         []*Hex
			RecordKey Hex `json:"record_key"`
			Wraps     []Hex
		}
	}
	r.read("pseudonym/seals.json", &file)
	for _, one := range file.Cases {
		ys, nonces := make([][]byte, len(one.Y)), make([][]byte, len(one.Y))
		for i, y := range one.Y {
			if y != nil {
				ys[i], nonces[i] = *y, one.Wraps[i][:12]
			}
		}
		wraps, commitment, sealed, err := one.seal(one.RecordKey, ys, nonces)
		must(err)
		r.check(one.Name+" wraps", wraps, raw(one.Wraps))
		r.check(one.Name+" commitment", commitment, one.Commitment)
		for _, field := range one.Fields {
			r.check(one.Name+" "+field.Name, sealed[field.Name], one.Sealed[field.Name])
		}
		for i, y := range ys {
			if y == nil {
				continue
			}
			values, err := one.open(y, byte(i+1), wraps[i], commitment, sealed)
			must(err)
			for _, field := range one.Fields {
				r.check(one.Name+" opened "+field.Name, values[field.Name], field.Value)
			}
		}
	}
}

func readBadSeals(r *Reader) {
	var file struct {
		Cases []struct {
			PublishedRecord
			Y      Hex
			Number byte `json:"match_key"`
			Wrap   Hex
		}
		Unsealable []struct {
			Name  string
			Width int
			Value json.RawMessage
			Times int
		}
	}
	r.read("pseudonym/bad_seals.json", &file)
	for _, one := range file.Cases {
		_, err := one.open(one.Y, one.Number, one.Wrap, one.Commitment, one.sealed())
		if err == nil {
			err = errors.New("opened")
		}
		r.check(one.Name, err, errors.New(one.Names))
	}
	for _, one := range file.Unsealable {
		var value string
		must(json.Unmarshal(one.Value, &value))
		if bytes.Contains(one.Value, []byte(`\ud800`)) {
			value = "\xed\xa0\x80" // Go has no lone surrogates; these are its bytes, which are no UTF-8
		}
		value = strings.Repeat(value, max(one.Times, 1))
		_, err := plainOf(Field{"refused", one.Width, &value})
		r.check(one.Name, err != nil, true)
	}
}

func readEnvelopes(r *Reader) {
	type envelope struct {
		Name       string
		PrivateKey Hex `json:"private_key"`
		PublicKey  Hex `json:"public_key"`
		Context    Context
		Recipient  string
		KeyID      string `json:"key_id"`
		Info       Hex
		Ciphertext Hex
		Key        Hex
	}
	var good envelope
	r.read("pseudonym/envelopes.json", &good)
	key := readEncryptionKey(good.PrivateKey)
	r.check("public key", key.public(), good.PublicKey)
	info := envelopeInfo(good.Context, good.Recipient, good.KeyID)
	r.check("info", info, good.Info)
	opened, err := openEnvelope(key, info, good.Ciphertext)
	must(err)
	r.check("K", opened, good.Key)
	var file struct{ Cases []json.RawMessage }
	r.read("pseudonym/bad_envelopes.json", &file)
	for _, data := range file.Cases {
		bad := good
		must(json.Unmarshal(data, &bad))
		info := envelopeInfo(bad.Context, bad.Recipient, bad.KeyID)
		_, err := openEnvelope(readEncryptionKey(bad.PrivateKey), info, bad.Ciphertext)
		r.check(bad.Name+" is refused", err != nil, true)
	}
}

func readCanonicalFile(r *Reader) {
	var file struct {
		JSON []struct {
			Value json.RawMessage
			Bytes Hex
		}
		Encode []struct {
			Parts []Hex
			Bytes Hex
		}
		Commitment struct {
			Label              string
			Salt, Value, Bytes Hex
		}
		Presence []struct {
			Present []bool
			Bytes   Hex
		}
	}
	r.read("pseudonym/canonical.json", &file)
	for _, one := range file.JSON {
		decoder := json.NewDecoder(bytes.NewReader(one.Value))
		decoder.UseNumber()
		var value any
		must(decoder.Decode(&value))
		made, err := canonical(value)
		must(err)
		r.check("canonical JSON", made, one.Bytes)
		_, err = readCanonical(one.Bytes)
		r.check("canonical JSON is read", err == nil, true)
	}
	for _, one := range file.Encode {
		r.check("encode", encode(raw(one.Parts)...), one.Bytes)
	}
	said := file.Commitment
	r.check("commitment", commit(said.Label, said.Salt, said.Value), said.Bytes)
	for _, one := range file.Presence {
		r.check("presence", presence(one.Present), one.Bytes)
	}
	var bad struct {
		Cases []struct {
			Name  string
			Bytes struct {
				Hex, Repeat Hex
				Times       int
			}
		}
	}
	r.read("pseudonym/bad_canonical.json", &bad)
	for _, one := range bad.Cases {
		data := append([]byte(one.Bytes.Hex), bytes.Repeat(one.Bytes.Repeat, one.Bytes.Times)...)
		_, err := readCanonical(data)
		r.check(one.Name+" is refused", err != nil, true)
	}
}

func readRegisterDigest(r *Reader) {
	var file struct {
		Columns []struct{ Presence, Pseudonyms Hex }
		Wraps   []Hex
		Commits Hex `json:"commitments"`
		Fields  []Hex
		Digest  Hex
		Bare    Hex `json:"digest_without_attributes"`
		Tokens  Hex `json:"tokens_value_sha256"`
	}
	r.read("pseudonym/register_digest.json", &file)
	columns := [][]byte{}
	for _, one := range file.Columns {
		columns = append(columns, one.Presence, one.Pseudonyms)
	}
	r.check("without attributes", registerDigest(columns...), file.Bare)
	tokens := sha256.Sum256(encode(columns...))
	r.check("tokens value", tokens[:], file.Tokens)
	all := append(append(append([][]byte{}, columns...), raw(file.Wraps)...), file.Commits)
	r.check("with attributes", registerDigest(append(all, raw(file.Fields)...)...), file.Digest)
}

// PublishedService is a key service as the vectors hold it.
type PublishedService struct {
	Seed      Hex
	PublicKey Hex `json:"public_key"`
}

func (r *Reader) obliviousRow(name string, k []byte, c Context, services map[string]PublishedService, p PublishedRow) {
	keys := map[string]*oprf.PrivateKey{}
	for id, service := range services {
		keys[id] = serviceKey(service.Seed, c, id)
		public, err := keys[id].Public().MarshalBinary()
		must(err)
		r.check(name+" public key", public, service.PublicKey)
	}
	made := obliviousRow(k, c, keys, p.Scheme, p.MatchKey, p.Fields)
	r.check(name+" x", made.X, p.X)
	r.check(name+" x'", made.Private, p.Private)
	r.check(name+" y", made.Y, p.Y)
	r.check(name+" pseudonym", made.Pseudonym, p.Pseudonym)
	for id, output := range made.Outputs {
		r.check(name+" output", output, p.Outputs[id])
	}
}

func readOblivious(r *Reader) {
	type services = map[string]PublishedService
	var file struct {
		Key      Hex
		KeyID    Hex `json:"key_id"`
		Context  Context
		Services services
		Cases    []PublishedRow
	}
	r.read("pseudonym/oblivious.json", &file)
	r.check("key id", keysOf(file.Key, file.Context).ID, file.KeyID)
	for _, one := range file.Cases {
		r.obliviousRow(one.Scheme, file.Key, file.Context, file.Services, one)
	}
	var bad struct {
		Cases []struct {
			Name  string
			Sides []struct {
				Context  Context
				Key      Hex
				Services services
				PublishedRow
			}
		}
	}
	r.read("pseudonym/bad_oblivious.json", &bad)
	for _, one := range bad.Cases {
		for _, side := range one.Sides {
			r.obliviousRow(one.Name, side.Key, side.Context, side.Services, side.PublishedRow)
		}
		r.check(one.Name+" differs", bytes.Equal(one.Sides[0].Pseudonym, one.Sides[1].Pseudonym), false)
	}
}

func readEvaluations(r *Reader) {
	type batch struct {
		Name, Code                                  string
		PublicKey                                   Hex `json:"public_key"`
		Inputs, Blinds, Blinded, Evaluated, Outputs []Hex
		Proof                                       Hex
	}
	var good, bad struct{ Cases []batch }
	r.read("pseudonym/evaluations.json", &good)
	for _, one := range good.Cases {
		err := checkAnswer(one.PublicKey, raw(one.Blinded), raw(one.Evaluated), one.Proof)
		r.check("the answer is taken", err == nil, true)
		blinded, outputs := blindAndFinalize(raw(one.Inputs), raw(one.Blinds), raw(one.Evaluated), one.PublicKey, one.Proof)
		r.check("blinded", blinded, raw(one.Blinded))
		r.check("outputs", outputs, raw(one.Outputs))
	}
	r.read("pseudonym/bad_evaluations.json", &bad)
	for _, one := range bad.Cases {
		err := checkAnswer(one.PublicKey, raw(one.Blinded), raw(one.Evaluated), one.Proof)
		if err == nil {
			err = errors.New("taken")
		}
		r.check(one.Name, err, errors.New(one.Code))
	}
}
