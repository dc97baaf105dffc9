package main

// name-birthdate/1 of docs/pseudonym-spec.md section 2.

import (
	"maps"
	"strings"
)

// Letters that a state's passports write otherwise than table B; a blank before a letter: first in a word.
var stateLetters = map[string]map[rune]string{
	"BLR": {'Г': "H", 'Ё': "IO"},
	"BGR": {'Щ': "SHT"},
	"MKD": {'Ѓ': "GJ", 'Ќ': "KJ", 'Х': "H", 'Ц': "C", 'Џ': "DJ"},
	"SRB": {'Ж': "Z", 'Х': "H", 'Ц': "C", 'Ч': "C", 'Ш': "S"},
	"UKR": {'Г': "H", 'И': "Y"},
}

var (
	tableB         = over(cyrillicLetters, map[rune]string{'Ъ': "IE"})
	ukrainianFirst = map[rune]string{'Є': "YE", 'Ї': "YI", 'Й': "Y", 'Ю': "YU", 'Я': "YA"}
	bulgarianLaw   = over(tableB, map[rune]string{'Й': "Y", 'Х': "H", 'Щ': "SHT", 'Ъ': "A", 'Ь': "Y", 'Ю': "YU", 'Я': "YA"})
	bareVowels     = over(latinLetters, map[rune]string{'Ä': "A", 'Å': "A", 'Ö': "O", 'Ü': "U"})
	stateWords     = map[string]string{"BULGA": "BGR", "OEKRA": "UKR", "SERVI": "SRB", "WIT-R": "BLR", "BELAR": "BLR"}
)

func over(table, others map[rune]string) map[rune]string {
	out := maps.Clone(table)
	maps.Copy(out, others)
	return out
}

// nameState is the state whose letters a Cyrillic name has, or "".
func nameState(cell string) string {
	text := strings.TrimFunc(cell, isSpace)
	if code := stateCode(text); code != "" {
		return code
	}
	letters := []rune(capitals(text))
	return stateWords[string(letters[:min(5, len(letters))])]
}

// spelled gives a name as key 1 and key 2 hold it.
func spelled(cell, state string) (names [2]string, err error) {
	text, err := readCell(cell)
	if err != nil {
		return names, err
	}
	found, isCyrillic, err := splitName(text)
	if err != nil {
		return names, err
	}
	for _, word := range found {
		made, err := spellings(word, isCyrillic, state)
		if err != nil {
			return names, err
		}
		names[0], names[1] = names[0]+made[0], names[1]+made[1]
	}
	if names[0] == "" || names[1] == "" {
		return names, noLetter
	}
	return names, nil
}

func spellings(word string, isCyrillic bool, state string) (made [2]string, err error) {
	if !isCyrillic {
		if made[0], err = latinBy(latinLetters, word); err == nil {
			made[1], err = latinBy(bareVowels, word)
		}
		return made, err
	}
	begin, rest := "", word
	for letter, first := range ukrainianFirst {
		if state == "UKR" && strings.HasPrefix(word, string(letter)) {
			begin, rest = first, strings.TrimPrefix(word, string(letter))
		}
	}
	if made[0], err = cyrillicBy(over(tableB, stateLetters[state]), rest); err != nil {
		return made, err
	}
	made[0] = begin + made[0]
	stem, isIA := strings.CutSuffix(word, "ИЯ")
	if made[1], err = cyrillicBy(bulgarianLaw, stem); isIA {
		made[1] += "IA"
	}
	return made, err
}

func readSpelled(row map[string]string) ([][]string, error) {
	state := nameState(row["country"])
	names := map[string][2]string{}
	for _, column := range []string{"family_name", "given_names", "name_prefix"} {
		if column == "name_prefix" && strings.TrimFunc(row[column], isSpace) == "" {
			continue
		}
		made, err := spelled(row[column], state)
		if err != nil {
			return nil, in(column, err)
		}
		names[column] = made
	}
	date, err := fullDate(row["birth_date"])
	if err != nil {
		return nil, in("birth_date", err)
	}
	keys := [][]string{}
	for i := range 2 {
		keys = append(keys, []string{names["name_prefix"][i] + names["family_name"][i], names["given_names"][i], date})
	}
	return keys, nil
}
