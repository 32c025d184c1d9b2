"""Small folders in the exact layout of a corpus, with synthetic sound, for tests and first steps.

A layout is a function that yields what its folder holds: `Sound` for a recording, `Text`
for a label file.  Names, codes and label lines are those of the published corpus; the
sound is synthetic and says nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from serprep.testing.voice import synthetic_utterance


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A recording to write; speaker, emotion, text and take decide how it sounds."""

    path: str  # relative to the corpus root, with /
    speaker: int = 1  # odd: male-like, even: female-like
    emotion: str = "neutral"
    text: int = 1
    take: int = 1
    sample_rate: int = 16_000  # Hz
    n_channels: int = 1


@dataclass(frozen=True, kw_only=True)
class Text:
    """A label file to write."""

    path: str  # relative to the corpus root, with /
    text: str
    encoding: str = "utf-8"


Layout = Callable[[], Iterable[Sound | Text]]


AUDFORMAT = """\
name: made-up
source: https://example.org
usage: unrestricted
languages: [deu]
license: CC0-1.0
raters:
  gold: {type: vote}
  r1: {type: human}
schemes:
  emotion: {dtype: str, labels: [anger, neutral]}
  speaker: {dtype: str, labels: speakers}
splits:
  train: {type: train}
  test: {type: test}
tables:
"""
AUDFORMAT_TABLES = {  # table → its header
    "emotion.train": "type: filewise, split_id: train",
    "emotion.test": "type: filewise, split_id: test",
}


def audformat() -> Iterator[Sound | Text]:
    """Two speakers, two texts, the emotions anger and neutral; a table per split, as CSV, and one of speakers."""
    header = [AUDFORMAT]
    files = ["file,speaker\n"]
    for number, (table, about) in enumerate(AUDFORMAT_TABLES.items(), 1):
        rows = ["file,emotion,r1\n"]
        for text in (1, 2):
            for emotion, style in (("anger", "angry"), ("neutral", "neutral")):
                path = f"audio/s{number}/{emotion}{text}.wav"
                yield Sound(path=path, speaker=number, emotion=style, text=text)
                rows.append(f"{path},{emotion},{emotion if text == 1 else 'neutral'}\n")
                files.append(f"{path},s{number}\n")
        columns = "emotion: {scheme_id: emotion, rater_id: gold}, r1: {scheme_id: emotion, rater_id: r1}"
        header.append(f"  {table}: {{{about}, columns: {{{columns}}}}}\n")
        yield Text(path=f"db.{table}.csv", text="".join(rows))
    header.append("  files: {type: filewise, columns: {speaker: {scheme_id: speaker}}}\n")
    header.append("misc_tables:\n  speakers: {levels: {speaker: str}, columns: {gender: {}}}\n")
    yield Text(path="db.yaml", text="".join(header))
    yield Text(path="db.files.csv", text="".join(files))
    yield Text(path="db.speakers.csv", text="speaker,gender\ns1,male\ns2,female\n")


def emodb() -> Iterator[Sound | Text]:
    """Two speakers, two texts, the emotions anger and neutral."""
    for speaker, number in (("03", 1), ("08", 2)):
        for text in (1, 2):
            for letter, emotion in (("W", "angry"), ("N", "neutral")):
                path = f"wav/{speaker}a{text:02}{letter}a.wav"
                yield Sound(path=path, speaker=number, emotion=emotion, text=text)


def iemocap() -> Iterator[Sound | Text]:
    """Two dialogues in each of the five sessions, one improvised and one scripted, both speakers in each."""
    from serprep.testing import iemocap as full  # a program as well: `python -m` wants to import it itself

    emotions = ("neu", "ang", "hap", "sad", "exc", "xxx")
    turns = [
        full.Turn(
            name=f"Ses0{session}{wearer}_{scene}_{gender}{number:03}",
            emotion=emotion,
            agreement=0 if emotion == "xxx" else 2,
            n_annotators=0 if emotion == "xxx" else 3,
        )
        for session in (1, 2, 3, 4, 5)
        for wearer, scene in (("F", "impro01"), ("M", "script01_1"))
        for gender in ("F", "M")
        for number, emotion in enumerate(emotions)
    ]
    for take, turn in enumerate(turns):
        yield Sound(path=turn.path, speaker=turn.speaker, emotion=turn.style, text=take % 4, take=take)
    for path, text in full.label_files(turns):
        yield Text(path=path, text=text)


def ravdess() -> Iterator[Sound | Text]:
    """Two actors, two statements, the emotions neutral, happy and angry; one recording is stereo."""
    for actor in (1, 2):
        for statement in (1, 2):
            for code, emotion in (("01", "neutral"), ("03", "happy"), ("05", "angry")):
                yield Sound(
                    path=f"Actor_{actor:02}/03-01-{code}-01-{statement:02}-01-{actor:02}.wav",
                    speaker=actor,
                    emotion=emotion,
                    text=statement,
                    sample_rate=48_000,
                    n_channels=2 if (actor, statement, code) == (1, 1, "03") else 1,
                )


def _challenge_sounds() -> Iterator[tuple[Sound, str]]:
    """Recordings of a challenge, eight per partition, each with its true label."""
    emotions = ("angry", "happy", "neutral", "sad")
    for place, partition in enumerate(("train", "devel", "test")):
        for number in range(8):
            emotion = emotions[number % 4]
            path = f"wav/{partition}_{number + 1:04}.wav"
            yield Sound(path=path, speaker=2 * place + 1 + number // 4, emotion=emotion, text=number % 3 + 1), emotion


def compare2018() -> Iterator[Sound | Text]:
    """Two recordings per class and partition; the test part has no rows."""
    rows = ["file_name\temotion"]
    for sound, emotion in _challenge_sounds():
        yield sound
        if "test" not in sound.path:
            rows.append(f"{sound.path.removeprefix('wav/')}\t{emotion}")
    yield Text(path="lab/ComParE2018_AtypicalAffect.tsv", text="\n".join(rows) + "\n")


def compare() -> Iterator[Sound | Text]:
    """The challenge of 2021 and later: a label file per partition, ``?`` on the test part."""
    rows: dict[str, list[str]] = {}
    for sound, emotion in _challenge_sounds():
        yield sound
        name = sound.path.removeprefix("wav/")
        partition = name.partition("_")[0]
        rows.setdefault(partition, []).append(f"{name},{'?' if partition == 'test' else emotion}\n")
    for partition, lines in rows.items():
        yield Text(path=f"lab/{partition}.csv", text="filename,label\n" + "".join(lines))


def msp_improv() -> Iterator[Sound | Text]:
    """Two sessions, a target sentence and another turn of each speaker in two scenarios."""
    words = {"A": "Angry", "N": "Neutral"}
    numbers = "A:3.000000; V:2.500000; D:NaN; N:4.000000; "
    lines = []
    for session in (1, 2):
        for gender, partner in (("F", "M"), ("M", "F")):
            for code in words:
                for text, kind in ((1, "S"), (2, "T")):
                    name = f"IMPROV-S01{code}-{gender}0{session}-{kind}-{partner}{gender}01"
                    yield Sound(
                        path=f"session{session}/S01{code}/{kind}/MSP-{name}.wav",
                        speaker=2 * session - (gender == "M"),
                        emotion=words[code].lower(),
                        text=text,
                        sample_rate=44_100,
                    )
                    lines += [
                        f"UTD-{name}.avi; {code}; A:3.000000; V:2.500000; D:NaN ; N:4.000000; ",
                        f"WORKER00000001; {words[code]}; {words[code]},Concerned; {numbers}",
                        f"WORKER00000002; Other; ; {numbers}",
                        "",
                    ]
    yield Text(path="Evaluation.txt", text="\n".join(lines) + "\n")


def msp_podcast() -> Iterator[Sound | Text]:
    """Six speakers, one of them unknown, two classes; the three test sets and what raters said."""
    words = {"A": "Angry", "H": "Happy", "N": "Neutral", "S": "Sad"}
    consensus = ["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"]
    detailed = ["FileName,EmoDetail"]
    sets = ("Train", "Train", "Development", "Test1", "Test2", "Train")
    for podcast, role in enumerate(sets, 1):
        speaker = "Unknown" if podcast == len(sets) else str(podcast)
        for turn, (code, word) in enumerate(words.items(), 1):
            name = f"MSP-PODCAST_{podcast:04}_{turn:04}.wav"
            yield Sound(path=f"Audios/{name}", speaker=podcast, emotion=word.lower(), text=turn)
            gender = ("Female", "Male")[podcast % 2] if speaker != "Unknown" else "Unknown"
            consensus.append(f"{name},{code},4.2,3.8,4.4,{speaker},{gender},{role}")
            detailed.append(f'{name},"WORKER00000001; {word}; {word},Concerned; A:4.0; V:3.0; D:5.0;"')
    yield Text(path="Labels/labels_consensus.csv", text="\n".join(consensus) + "\n")
    yield Text(path="Labels/labels_detailed.csv", text="\n".join(detailed) + "\n")


def crema_d() -> Iterator[Sound | Text]:
    """Five actors, two sentences, all six emotions; labels as acted and as perceived."""
    actors = ((1001, 51, "Male"), (1002, 21, "Female"), (1003, 21, "Female"), (1011, 32, "Male"), (1014, 24, "Male"))
    words = {
        "ANG": "angry",
        "DIS": "disgust",
        "FEA": "fearful",
        "HAP": "happy",
        "NEU": "neutral",
        "SAD": "sad",
    }
    votes = ['"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"']
    answers = ["localid,pos,ans,ttr,queryType,numTries,clipNum,questNum,subType,clipName,sessionNums,respEmo,respLevel"]
    for number, (actor, _, _) in zip((1, 2, 4, 3, 5), actors, strict=True):
        for text, sentence in enumerate(("DFA", "IWW"), 1):
            for code, word in words.items():
                stem, letter = f"{actor}_{sentence}_{code}_XX", code[0]
                yield Sound(path=f"AudioWAV/{stem}.wav", speaker=number, emotion=word, text=text)
                vote = '"A:D","37.2:58.6"' if (code, sentence) == ("ANG", "DFA") else f'"{letter}","69.1"'
                votes.append(f'"{len(votes)}","{stem}",{vote},"{letter}","92.22","{letter}","64.78"')
                for rater, kind in ((201, 1), (202, 3)):
                    answers.append(f"{rater},1,{letter}_70,2345,{kind},0,1,1,4,{stem},1,{letter},70")
    rows = "".join(f'{actor},{age},"{sex}","Caucasian","Not Hispanic"\n' for actor, age, sex in actors)
    yield Text(path="VideoDemographics.csv", text='"ActorID","Age","Sex","Race","Ethnicity"\n' + rows)
    yield Text(path="processedResults/summaryTable.csv", text="\n".join(votes) + "\n")
    yield Text(path="finishedResponses.csv", text="\n".join(answers) + "\n")


def emovo() -> Iterator[Sound | Text]:
    """A woman and a man, two sentences, the emotions joy, neutral and anger; stereo."""
    for number, speaker in ((1, "m1"), (2, "f1")):
        for text in (1, 2):
            for code, emotion in (("gio", "happy"), ("neu", "neutral"), ("rab", "angry")):
                yield Sound(
                    path=f"{speaker}/{code}-{speaker}-b{text}.wav",
                    speaker=number,
                    emotion=emotion,
                    text=text,
                    sample_rate=48_000,
                    n_channels=2,
                )


def meld() -> Iterator[Sound | Text]:
    """Two dialogues per partition with the same numbers in each; sound extracted from the videos."""
    folders = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
    roles = ("Phoebe", "Ross", "All")
    emotions = {"neutral": "neutral", "joy": "positive", "anger": "negative", "surprise": "positive"}
    header = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
    for partition, folder in folders.items():
        lines = [header]
        for dialogue in (0, 1):
            for turn, (emotion, sentiment) in enumerate(emotions.items()):
                role = turn % 3
                heard = "happy" if emotion == "joy" else "angry" if emotion == "anger" else emotion
                path = f"{folder}/dia{dialogue}_utt{turn}.wav"
                yield Sound(path=path, speaker=(2, 1, 3)[role], emotion=heard, text=len(lines))
                times = '"00:20:57,256","00:21:00,049"'
                said = f'"Oh, café number {len(lines)}!"'
                lines.append(f"{len(lines)},{said},{roles[role]},{emotion},{sentiment},{dialogue},{turn},4,7,{times}")
        yield Text(path=f"{partition}_sent_emo.csv", text="\n".join(lines) + "\n")


def savee() -> Iterator[Sound | Text]:
    """Two speakers, two sentences each of anger, neutral, sadness and surprise."""
    for number, speaker in ((1, "DC"), (3, "JE")):
        for text in (1, 2):
            for code, emotion in (("a", "angry"), ("n", "neutral"), ("sa", "sad"), ("su", "surprised")):
                path = f"AudioData/{speaker}/{code}{text:02}.wav"
                yield Sound(path=path, speaker=number, emotion=emotion, text=text, sample_rate=44_100)


def tess() -> Iterator[Sound | Text]:
    """Both speakers, two words, in folders with the published irregular names, one file misnamed as published."""
    folders = {
        "OAF": ("OAF_angry", "OAF_neutral", "OAF_Pleasant_surprise", "OAF_Sad"),
        "YAF": ("YAF_angry", "YAF_neutral", "YAF_pleasant_surprised", "YAF_sad"),
    }
    codes = {"angry": "angry", "neutral": "neutral", "ps": "surprised", "sad": "sad"}
    for number, (speaker, names) in zip((2, 4), folders.items(), strict=True):
        for text, word in enumerate(("back", "bite"), 1):
            for folder, (code, emotion) in zip(names, codes.items(), strict=True):
                stem = "OA_bite_neutral" if (speaker, word, code) == ("OAF", "bite", "neutral") else ""
                yield Sound(
                    path=f"{folder}/{stem or f'{speaker}_{word}_{code}'}.wav",
                    speaker=number,
                    emotion=emotion,
                    text=text,
                    sample_rate=24_414,
                )


def urdu() -> Iterator[Sound | Text]:
    """A man and a woman, two clips of each of the four emotions."""
    for number, speaker in ((1, "SM1"), (2, "SF2")):
        for text in (1, 2):
            for emotion in ("Angry", "Happy", "Neutral", "Sad"):
                path = f"{emotion}/{speaker}_F{text}_{emotion[0]}{10 * number + text:02}.wav"
                yield Sound(path=path, speaker=number, emotion=emotion.lower(), text=text)


#: Reader → what a small folder of that corpus holds.
LAYOUTS: dict[str, Layout] = {
    "audformat": audformat,
    "compare": compare,
    "compare2018": compare2018,
    "crema_d": crema_d,
    "emodb": emodb,
    "emovo": emovo,
    "iemocap": iemocap,
    "meld": meld,
    "msp_improv": msp_improv,
    "msp_podcast": msp_podcast,
    "ravdess": ravdess,
    "savee": savee,
    "tess": tess,
    "urdu": urdu,
}

LITTER = ("._{name}", ".DS_Store", "Thumbs.db", "desktop.ini", "README", "README.txt")


def write_layout(
    name: str, root: Path | str, *, litter: bool = False, sound: bool = True, suffix: str = ".wav"
) -> list[Path]:
    """Write a small folder in the layout of a corpus.

    Parameters
    ----------
    name : str
        A key of `LAYOUTS`.
    root : path
        Made if missing; files of the same name are replaced.
    litter : bool
        Add what real copies of corpora are full of: ``._x``, ``.DS_Store``, ``Thumbs.db``, READMEs.
    sound : bool
        Write the sound; otherwise the recordings are empty files, enough for a reader.
    suffix : str
        Of the recordings on disk, such as ".WAV" or ".flac"; label files keep naming them as published.

    Returns
    -------
    list of Path
        The recordings, in the layout's order.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     print(write_layout("emodb", root, sound=False)[0].name)
    03a01Wa.wav
    """
    root = Path(root)
    paths = []
    for item in LAYOUTS[name]():
        path = root / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(item, Text):
            path.write_bytes(item.text.encode(item.encoding))
            continue
        if path.suffix == ".wav":
            path = path.with_suffix(suffix)
        paths.append(path)
        if sound:
            soundfile.write(path, _signal(item), item.sample_rate, format=suffix[1:].upper(), subtype="PCM_16")
        else:
            path.touch()
    if litter:
        for folder in {root, *(path.parent for path in paths)}:
            for pattern in LITTER:
                (folder / pattern.format(name=paths[0].name)).write_bytes(b"\0litter\xff")
    return paths


def _signal(item: Sound) -> np.ndarray:
    """The sound, shape (n_samples,) or (n_samples, n_channels)."""
    signal = synthetic_utterance(
        speaker=item.speaker, emotion=item.emotion, text=item.text, take=item.take, sample_rate=item.sample_rate
    )
    return signal if item.n_channels == 1 else np.repeat(signal[:, None], item.n_channels, axis=1)
