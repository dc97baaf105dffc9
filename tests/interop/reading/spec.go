package main

// Sections 1 to 5 and "Live questions" of docs/pseudonym-spec.md.

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"unicode/utf8"
)

// encode puts every part behind its length (section 1).
func encode(parts ...[]byte) []byte {
	out := []byte{}
	for _, part := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

// labelled is encode with text first, as every derivation begins.
func labelled(label string, parts ...[]byte) []byte {
	return encode(append([][]byte{[]byte(label)}, parts...)...)
}

func texts(parts ...string) [][]byte {
	out := make([][]byte, len(parts))
	for i, part := range parts {
		out[i] = []byte(part)
	}
	return out
}

func mac(key, message []byte) []byte {
	made := hmac.New(sha256.New, key)
	made.Write(message)
	return made.Sum(nil)
}

// hkdf is HKDF-SHA-256 without salt, 32 bytes (RFC 5869).
func hkdf(key, info []byte) []byte {
	return mac(mac(make([]byte, 32), key), append(bytes.Clone(info), 1))
}

// Context is what derivations are bound to (section 1).
type Context struct{ Origin, Environment, Purpose, Epoch, Mode string }

func (c Context) parts() [][]byte {
	return texts(c.Origin, c.Environment, c.Purpose, c.Epoch, c.Mode)
}

func (c Context) scope() [][]byte { return texts(c.Origin, c.Environment) }

// Keys are derived from K for mode keyed (section 3).
type Keys struct{ ID, Match, Row []byte }

func keysOf(k []byte, c Context) Keys {
	return Keys{
		ID:    mac(k, labelled("sluis/v1/key-id", c.parts()...))[:16],
		Match: hkdf(k, labelled("sluis/v1/match", c.parts()...)),
		Row:   hkdf(k, labelled("sluis/v1/row", c.parts()...)),
	}
}

// Row is one match key of one record (section 4).
type Row struct{ X, Pseudonym, Y []byte }

func rowOf(k []byte, c Context, scheme string, number byte, fields []string) Row {
	keys := keysOf(k, c)
	bound := append(c.parts(), []byte(scheme), []byte{number})
	x := labelled("sluis/v1/input", append(bound, texts(fields...)...)...)
	return Row{x, mac(keys.Match, x)[:16], mac(keys.Row, x)}
}

// sessionPseudonym is what a live question holds in place of a pseudonym ("Live questions").
func sessionPseudonym(k []byte, c Context, asker, exchange string, number int, pseudonym []byte) []byte {
	bound := append(c.parts(), texts(asker, exchange, strconv.Itoa(number))...)
	return mac(hkdf(k, labelled("sluis/v1/session", bound...)), pseudonym)[:16]
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	must(err)
	made, err := cipher.NewGCM(block)
	must(err)
	return made
}

// Field is an attribute of the catalogue; a nil Value is null.
type Field struct {
	Name  string
	Width int
	Value *string
}

// Record is what section 5 seals for one register version.
type Record struct {
	Context  Context
	Register string
	Version  int
	Fields   []Field
}

func (r Record) version() string { return strconv.Itoa(r.Version) }

func (r Record) wrapKey(y []byte) []byte {
	return hkdf(y, labelled("sluis/v1/wrap", append(r.Context.scope(), texts(r.Register, r.version())...)...))
}

func (r Record) wrapAAD(number byte) []byte {
	return labelled("sluis/v1/wrap", append(texts(r.Register, r.version()), []byte{number})...)
}

func (r Record) fieldKey(recordKey []byte, name string) []byte {
	return hkdf(recordKey, labelled("sluis/v1/field", append(r.Context.scope(), texts(r.Register, r.version(), name)...)...))
}

func (r Record) fieldAAD(name string) []byte {
	return labelled("sluis/v1/field", texts(r.Register, r.version(), name)...)
}

func (r Record) commitment(recordKey []byte) []byte {
	return mac(recordKey, labelled("sluis/v1/commit", r.Context.scope()...))
}

const nullLength = 0xFFFF

// plainOf pads a value to its width; a value that does not fit is refused.
func plainOf(field Field) ([]byte, error) {
	length, value := nullLength, ""
	if field.Value != nil {
		length, value = len(*field.Value), *field.Value
		if length > field.Width || !utf8.ValidString(value) {
			return nil, errors.New(field.Name)
		}
	}
	plain := binary.BigEndian.AppendUint16(nil, uint16(length))
	plain = append(plain, value...)
	return append(plain, make([]byte, field.Width+2-len(plain))...), nil
}

// seal gives the wraps (an absent match key has a nil y), the commitment and the sealed fields.
func (r Record) seal(recordKey []byte, ys, nonces [][]byte) (wraps [][]byte, commitment []byte, sealed map[string][]byte, err error) {
	for i, y := range ys {
		if y == nil {
			wraps = append(wraps, make([]byte, 60))
			continue
		}
		wrap := gcm(r.wrapKey(y)).Seal(nil, nonces[i], recordKey, r.wrapAAD(byte(i+1)))
		wraps = append(wraps, append(bytes.Clone(nonces[i]), wrap...))
	}
	sealed = map[string][]byte{}
	for _, field := range r.Fields {
		plain, err := plainOf(field)
		if err != nil {
			return nil, nil, nil, err
		}
		sealed[field.Name] = gcm(r.fieldKey(recordKey, field.Name)).Seal(nil, make([]byte, 12), plain, r.fieldAAD(field.Name))
	}
	return wraps, r.commitment(recordKey), sealed, nil
}

// open gives the values, or an error that names the part which is wrong, in the order of section 5.
func (r Record) open(y []byte, number byte, wrap, commitment []byte, sealed map[string][]byte) (map[string]*string, error) {
	if len(wrap) != 60 {
		return nil, errors.New("wrap")
	}
	recordKey, err := gcm(r.wrapKey(y)).Open(nil, wrap[:12], wrap[12:], r.wrapAAD(number))
	if err != nil {
		return nil, errors.New("wrap")
	}
	if !hmac.Equal(commitment, r.commitment(recordKey)) {
		return nil, errors.New("commitment")
	}
	values := map[string]*string{}
	for _, field := range r.Fields {
		data := sealed[field.Name]
		if len(data) != field.Width+18 {
			return nil, errors.New(field.Name)
		}
		plain, err := gcm(r.fieldKey(recordKey, field.Name)).Open(nil, make([]byte, 12), data, r.fieldAAD(field.Name))
		if err != nil {
			return nil, errors.New(field.Name)
		}
		length, isNull := int(binary.BigEndian.Uint16(plain)), false
		if length == nullLength {
			length, isNull = 0, true
		}
		if length > field.Width || len(bytes.Trim(plain[2+length:], "\x00")) > 0 || !utf8.Valid(plain[2:2+length]) {
			return nil, errors.New(field.Name)
		}
		value := string(plain[2 : 2+length])
		values[field.Name] = &value
		if isNull {
			values[field.Name] = nil
		}
	}
	return values, nil
}

// presence is a bitmap, least significant bit first (formats.md section 1).
func presence(present []bool) []byte {
	out := make([]byte, (len(present)+7)/8)
	for i, there := range present {
		if there {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

// registerDigest is over the SHA-256 of every column (formats.md section 4).
func registerDigest(columns ...[]byte) []byte {
	parts := [][]byte{}
	for _, column := range columns {
		digest := sha256.Sum256(column)
		parts = append(parts, digest[:])
	}
	made := sha256.Sum256(labelled("sluis/v1/register-digest", parts...))
	return made[:]
}

// commit is a commitment to a value under a label (formats.md section 1).
func commit(label string, salt, value []byte) []byte {
	made := sha256.Sum256(labelled("sluis/v1/commitment", []byte(label), salt, value))
	return made[:]
}
