package main

// Section 6 of docs/pseudonym-spec.md: opening an envelope, HPKE (RFC 9180) with the KEM MLKEM768-X25519.

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/sha3"
	"encoding/binary"
	"errors"
)

const (
	kemID  = 0x647A
	kdfID  = 0x0001
	aeadID = 0x0002
)

// EncryptionKey is a party's private key, stored as its two halves.
type EncryptionKey struct {
	lattice *mlkem.DecapsulationKey768
	curve   *ecdh.PrivateKey
}

func readEncryptionKey(stored []byte) EncryptionKey {
	lattice, err := mlkem.NewDecapsulationKey768(stored[:64])
	must(err)
	curve, err := ecdh.X25519().NewPrivateKey(stored[64:])
	must(err)
	return EncryptionKey{lattice, curve}
}

func (k EncryptionKey) public() []byte {
	return append(k.lattice.EncapsulationKey().Bytes(), k.curve.PublicKey().Bytes()...)
}

// decapsulate is the X-Wing combiner (draft-connolly-cfrg-xwing-kem, section 5.3).
func (k EncryptionKey) decapsulate(share []byte) ([]byte, error) {
	lattice, err := k.lattice.Decapsulate(share[:1088])
	if err != nil {
		return nil, err
	}
	other, err := ecdh.X25519().NewPublicKey(share[1088:])
	if err != nil {
		return nil, err
	}
	curve, err := k.curve.ECDH(other)
	if err != nil {
		return nil, err
	}
	joined := bytes.Join([][]byte{lattice, curve, share[1088:], k.curve.PublicKey().Bytes(), []byte(`\.//^\`)}, nil)
	made := sha3.Sum256(joined)
	return made[:], nil
}

func envelopeInfo(c Context, recipient, keyID string) []byte {
	return labelled("sluis/v1/envelope", append(c.parts(), texts(recipient, keyID)...)...)
}

// openEnvelope gives K, or an error for whatever is not an envelope for this key and info.
func openEnvelope(key EncryptionKey, info, envelope []byte) ([]byte, error) {
	if len(envelope) != 1168 {
		return nil, errors.New("its length is wrong")
	}
	shared, err := key.decapsulate(envelope[:1120])
	if err != nil {
		return nil, err
	}
	suiteID := []byte("HPKE")
	for _, id := range []uint16{kemID, kdfID, aeadID} {
		suiteID = binary.BigEndian.AppendUint16(suiteID, id)
	}
	extract := func(salt []byte, label string, ikm []byte) []byte {
		return mac(salt, bytes.Join([][]byte{[]byte("HPKE-v1"), suiteID, []byte(label), ikm}, nil))
	}
	expand := func(prk []byte, label string, about []byte, length int) []byte {
		head := binary.BigEndian.AppendUint16(nil, uint16(length))
		message := bytes.Join([][]byte{head, []byte("HPKE-v1"), suiteID, []byte(label), about, {1}}, nil)
		return mac(prk, message)[:length]
	}
	none := make([]byte, 32)
	about := bytes.Join([][]byte{{0}, extract(none, "psk_id_hash", nil), extract(none, "info_hash", info)}, nil)
	secret := extract(shared, "secret", nil)
	aead, nonce := gcm(expand(secret, "key", about, 32)), expand(secret, "base_nonce", about, 12)
	return aead.Open(nil, nonce, envelope[1120:], nil)
}
