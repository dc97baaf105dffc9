package main

// Names of docs/linkage.md section 3: to A to Z, and folded so that lawful spellings of one name meet.

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Table A of ICAO Doc 9303-3 section 6, where it is not the base letter, and the first of its alternatives.
var latinLetters = map[rune]string{
	'Ä': "AE", 'Å': "AA", 'Ö': "OE", 'Ü': "UE", 'Æ': "AE", 'Ð': "D", 'Ø': "OE", 'Þ': "TH", 'Đ': "D", 'Ħ': "H", 'ı': "I",
	'Ĳ': "IJ", 'Ŀ': "L", 'Ł': "L", 'Ŋ': "N", 'Œ': "OE", 'Ŧ': "T", 'ẞ': "SS", 'ß': "SS",
}

// Table B, without the exceptions of states.
var cyrillicLetters = map[rune]string{
	'А': "A", 'Б': "B", 'В': "V", 'Г': "G", 'Д': "D", 'Е': "E", 'Ж': "ZH", 'З': "Z", 'И': "I", 'Й': "I", 'К': "K", 'Л': "L",
	'М': "M", 'Н': "N", 'О': "O", 'П': "P", 'Р': "R", 'С': "S", 'Т': "T", 'У': "U", 'Ф': "F", 'Х': "KH", 'Ц': "TS", 'Ч': "CH",
	'Ш': "SH", 'Щ': "SHCH", 'Ъ': "IE", 'Ы': "Y", 'Ь': "", 'Э': "E", 'Ю': "IU", 'Я': "IA", 'Ё': "E", 'Ђ': "D", 'Ѓ': "G",
	'Є': "IE", 'Ѕ': "DZ", 'І': "I", 'Ї': "I", 'Ј': "J", 'Љ': "LJ", 'Њ': "NJ", 'Ћ': "C", 'Ќ': "K", 'Ў': "U", 'Џ': "DZ",
	'Ѫ': "U", 'Ѵ': "Y", 'Ґ': "G", 'Ғ': "G", 'Һ': "C",
}

var (
	shortParticle = regexp.MustCompile("(?i)(^|\\s)([DLST])['`´‘’′](\\pL)")
	silent        = regexp.MustCompile("['`´\\x{2b0}-\\x{2ff}‘’‛′]+")
	wordBreaks    = regexp.MustCompile("[\\s\\-.·\\x{2010}-\\x{2015}−]+")
	patronymic    = regexp.MustCompile("([OE]V[IY]C[HZ]|[OEI]VNA)$")
)

func words(list string) map[string]bool {
	out := map[string]bool{}
	for _, word := range strings.Fields(list) {
		out[word] = true
	}
	return out
}

var (
	unknown   = words("ONBEKEND UNKNOWN NNB NVT GEENVOORNAMEN GEENVOORNAAM")
	particles = words("VAN VON VOM DE DEN DER DES HET TE TEN TER ZU ZUM ZUR AF AV DA DAS DO DOS DI DEL DELLA DU LA LE LES LOS " +
		"EL AL BIN IBN BINT OP IN AAN BIJ UIT V VD VDR T S D L")
)

// nameWords gives the words of a name in A to Z; none for a cell that is empty or says that it is unknown.
func nameWords(cell string) ([]string, error) {
	text, err := readOptional(cell)
	if err != nil || text == "" {
		return nil, err
	}
	found, isCyrillic, err := splitName(shortParticle.ReplaceAllString(text, "$1$2 $3"))
	if err == noLetter || err == nameUnknown {
		return nil, nil
	}
	out := []string{}
	for _, word := range found {
		made, err := "", err
		if isCyrillic {
			made, err = cyrillicBy(cyrillicLetters, bulgarianHard(word))
		} else {
			made, err = latinBy(latinLetters, word)
		}
		if err != nil {
			return nil, err
		}
		if made != "" {
			out = append(out, made)
		}
	}
	return out, err
}

// splitName gives the words of a name in capitals, and whether they are Cyrillic.
func splitName(text string) (found []string, isCyrillic bool, err error) {
	text = silent.ReplaceAllString(norm.NFC.String(capitals(text)), "")
	found = strings.Fields(wordBreaks.ReplaceAllString(text, " "))
	joined := strings.Join(found, "")
	var latin, cyrillic, other bool
	for _, letter := range joined {
		switch {
		case unicode.Is(unicode.M, letter):
		case letter == ',':
			return nil, false, comma
		case !unicode.IsLetter(letter):
			return nil, false, noNameSign
		case letter >= 0x400 && letter <= 0x52f:
			cyrillic = true
		case letter < 0x250 || letter >= 0x1e00 && letter <= 0x1eff:
			latin = true
		default:
			other = true
		}
	}
	switch {
	case other:
		return nil, false, otherScript
	case latin && cyrillic:
		return nil, false, twoScripts
	case !latin && !cyrillic:
		return nil, false, noLetter
	case unknown[joined]:
		return nil, false, nameUnknown
	}
	return found, cyrillic, nil
}

// bulgarianHard writes A for a hard sign, but not where it is Russian: before these vowels it stays, and is IE.
func bulgarianHard(word string) string {
	letters := []rune(word)
	for i, letter := range letters {
		if letter == 'Ъ' && (i+1 == len(letters) || !strings.ContainsRune("ЕЁЮЯЇИО", letters[i+1])) {
			letters[i] = 'А'
		}
	}
	return string(letters)
}

// latinBy writes a word by a form of table A; a letter in no table loses its marks.
func latinBy(table map[rune]string, word string) (string, error) {
	out := ""
	for _, letter := range word {
		made, is := table[letter]
		if !is {
			made = withoutMarks(letter)
		}
		if strings.Trim(made, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return "", otherScript
		}
		out += made
	}
	return out, nil
}

// cyrillicBy does it by a form of table B.
func cyrillicBy(table map[rune]string, word string) (string, error) {
	out := ""
	for _, letter := range word {
		made, is := table[letter]
		for _, base := range withoutMarks(letter) {
			if !is {
				made, is = table[base]
			}
			if !is {
				return "", otherScript
			}
		}
		out += made
	}
	return out, nil
}

func withoutMarks(letter rune) string {
	return strings.Map(func(r rune) rune {
		if norm.NFD.PropertiesString(string(r)).CCC() != 0 {
			return -1
		}
		return r
	}, norm.NFD.String(string(letter)))
}

// The groups of the folding; a regular expression of Go takes the first that fits, so the longest stand first.
var (
	groups = regexp.MustCompile("SHCH|SZCZ|SHTCH|SHT|TSCH|TCH|CZ|CS|CH|TS|TZ|C|SCH|SH|SZ|ZH|ZS|RZ|KH|G|Q|X|PH|TH|W")
	become = map[string]string{
		"SHCH": "SC", "SZCZ": "SC", "SHTCH": "SC", "SHT": "SC", "TSCH": "C", "TCH": "C", "CZ": "C", "CS": "C", "CH": "C",
		"TS": "C", "TZ": "C", "C": "C", "SCH": "S", "SH": "S", "SZ": "S", "ZH": "Z", "ZS": "Z", "RZ": "Z", "KH": "H",
		"G": "H", "Q": "K", "X": "K", "PH": "F", "TH": "T", "W": "V",
	}
)

func fold(name string) string {
	text := groups.ReplaceAllStringFunc(name, func(group string) string { return become[group] })
	text = umlauts(text)
	text = doubles(strings.NewReplacer("Y", "I", "J", "I").Replace(text))
	return doubles(glides(text))
}

// umlauts drops the E behind A, O and U, and one A of AA.
func umlauts(text string) string {
	out := []byte{}
	for i := 0; i < len(text); i++ {
		if text[i] == 'E' && i > 0 && strings.IndexByte("AOU", text[i-1]) >= 0 {
			continue
		}
		out = append(out, text[i])
		if strings.HasPrefix(text[i:], "AA") {
			i++
		}
	}
	return string(out)
}

// glides drops an I before A, O or U, but not at the start, and before E everywhere.
func glides(text string) string {
	out := []byte{}
	for i := 0; i < len(text); i++ {
		next := byte(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		if text[i] == 'I' && (next == 'E' || i > 0 && next != 0 && strings.IndexByte("AOU", next) >= 0) {
			continue
		}
		out = append(out, text[i])
	}
	return string(out)
}

func doubles(text string) string {
	out := []byte{}
	for i := 0; i < len(text); i++ {
		if i == 0 || text[i] != text[i-1] {
			out = append(out, text[i])
		}
	}
	return string(out)
}

// consonants is the skeleton of a folded name.
func consonants(folded string) string {
	if folded == "" {
		return ""
	}
	sounds := strings.NewReplacer("B", "P", "D", "T", "Z", "S", "C", "S", "V", "F")
	first := sounds.Replace(folded[:1])
	if strings.ContainsAny(first, "AEIOU") {
		first = "A"
	}
	rest := strings.Map(func(r rune) rune {
		if strings.ContainsRune("AEIOUH", r) {
			return -1
		}
		return r
	}, sounds.Replace(folded[1:]))
	return doubles(first + rest)
}
