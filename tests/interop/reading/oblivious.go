package main

// Section 7 of docs/pseudonym-spec.md: mode oblivious, with RFC 9497 from a library.

import (
	"errors"
	"sort"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
)

var suite = oprf.SuiteRistretto255

// serviceKey is DeriveKeyPair of a service's seed (section 7.3).
func serviceKey(seed []byte, c Context, service string) *oprf.PrivateKey {
	info := labelled("sluis/v1/voprf", texts(service, c.Environment, c.Purpose, c.Epoch)...)
	key, err := oprf.DeriveKey(suite, oprf.VerifiableMode, seed, info)
	must(err)
	return key
}

// ObliviousRow is a row of section 7.2.
type ObliviousRow struct {
	X, Private, Y, Pseudonym []byte
	Outputs                  map[string][]byte
}

func obliviousRow(k []byte, c Context, keys map[string]*oprf.PrivateKey, scheme string, number byte, fields []string) ObliviousRow {
	services := []string{}
	for name := range keys {
		services = append(services, name)
	}
	sort.Strings(services)
	bound := append(c.parts(), encode(texts(services...)...))
	inner := append(append([][]byte{}, bound...), []byte(scheme), []byte{number})
	x := labelled("sluis/v1/input", append(inner, texts(fields...)...)...)
	private := mac(hkdf(k, labelled("sluis/v1/blind", bound...)), x)
	joined, outputs := []byte{}, map[string][]byte{}
	for _, name := range services {
		output, err := oprf.NewVerifiableServer(suite, keys[name]).FullEvaluate(private)
		must(err)
		outputs[name] = output
		joined = append(joined, output...)
	}
	y := hkdf(joined, labelled("sluis/v1/y", bound...))
	return ObliviousRow{x, private, y, mac(y, labelled("sluis/v1/match", c.parts()...))[:16], outputs}
}

// element reads a canonical encoding; the identity is none.
func element(data []byte) (group.Element, error) {
	e := suite.Group().NewElement()
	if err := e.UnmarshalBinary(data); err != nil || e.IsIdentity() {
		return nil, errors.New("ELEMENT_INVALID")
	}
	return e, nil
}

func elements(list [][]byte) ([]group.Element, error) {
	out := make([]group.Element, len(list))
	for i, data := range list {
		e, err := element(data)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

// checkAnswer refuses an answer of a key service in the order of section 7.3.
func checkAnswer(public []byte, blinded, evaluated [][]byte, proof []byte) error {
	if len(evaluated) != len(blinded) {
		return errors.New("COUNT_WRONG")
	}
	if len(proof) != 64 {
		return errors.New("LENGTH_WRONG")
	}
	asked, err := elements(blinded)
	must(err)
	answered, err := elements(evaluated)
	if err != nil {
		return err
	}
	key, err := element(public)
	if err != nil {
		return err
	}
	parsed := new(dleq.Proof)
	if err := parsed.UnmarshalBinary(suite.Group(), proof); err != nil {
		return errors.New("PROOF_WRONG")
	}
	if again, err := parsed.MarshalBinary(); err != nil || string(again) != string(proof) { // scalars below the order
		return errors.New("PROOF_WRONG")
	}
	params := dleq.Params{G: suite.Group(), H: suite.Hash(), DST: []byte("OPRFV1-\x01-" + suite.Identifier())}
	verifier := dleq.Verifier{Params: params}
	if !verifier.VerifyBatchRFC9497(key, asked, answered, parsed) {
		return errors.New("PROOF_WRONG")
	}
	return nil
}

// blindAndFinalize plays the client of RFC 9497 with blinds that are given.
func blindAndFinalize(inputs, blinds, evaluated [][]byte, public, proof []byte) (blinded, outputs [][]byte) {
	key := new(oprf.PublicKey)
	must(key.UnmarshalBinary(suite, public))
	client := oprf.NewVerifiableClient(suite, key)
	scalars := make([]oprf.Blind, len(blinds))
	for i, data := range blinds {
		scalars[i] = suite.Group().NewScalar()
		must(scalars[i].UnmarshalBinary(data))
	}
	kept, request, err := client.DeterministicBlind(inputs, scalars)
	must(err)
	for _, one := range request.Elements {
		data, err := one.MarshalBinaryCompress()
		must(err)
		blinded = append(blinded, data)
	}
	answered, err := elements(evaluated)
	must(err)
	parsed := new(dleq.Proof)
	must(parsed.UnmarshalBinary(suite.Group(), proof))
	outputs, err = client.Finalize(kept, &oprf.Evaluation{Elements: answered, Proof: parsed})
	must(err)
	return blinded, outputs
}
