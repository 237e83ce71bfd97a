"""What the reference does and what eyechart corrects, as one record of named switches.

``vlmeval`` turns all of the reference's behaviour on (ms-vlmeval 0.0.20); ``eyechart``, the default, turns on the
corrections. `docs/protocol.md` tells for each switch what the reference does, why that is wrong, which benchmarks it
touches and by how much it moved the golden scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from ..errors import ConfigError

__all__ = ["EYECHART", "FAILED_TEXT", "PROTOCOLS", "VLMEVAL", "ChineseWords", "Protocol", "resolve_protocol"]

FAILED_TEXT: Final = "Failed to obtain answer via API."
"""What the reference stores and scores when a request failed."""
ChineseWords: TypeAlias = Literal["zh_core_web_sm", "characters"]
"""What counts as a word of a Chinese text: what spaCy's model of that name finds, or each character."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Named switches; a field's value is what happens, and its default the correction.

    Attributes:
        name: how reports call it. Scores of different protocols are never put side by side without saying so.
        pandas_cells: read benchmark files as ``pandas.read_csv`` does by default: cells such as ``None``, ``N/A`` or
            ``null`` are missing, and a column of numbers becomes numbers (an option ``3`` is shown as ``3.0`` when
            another row has none). Off: a cell is the text that stands there and only an empty one is missing.
        cached_images: show the model what the reference's image cache holds (alpha and palette dropped, ``.jpg``
            names re-encoded) and send it as JPEG of quality 75 with the short edge scaled up to 100 pixels. Off: the
            original bytes unless ``img_size`` asks for less.
        localize_above_bytes: benchmark files above this size have every picture re-encoded as JPEG first; None never.
        round_trip_table: predictions and the other columns pass through a spreadsheet before they are scored: ``N/A``
            becomes nothing, ``=1+1`` becomes 0, a column of numbers becomes numbers. Off: scored as answered.
        failed_text: text that stands for a failed request when it is scored, so that it may hit by chance, and in the
            history of a dialogue. None: a failed or missing answer is never correct, and ends its dialogue.
        keep_system_prompt: a benchmark's system message stays in force for the benchmarks after it in the same run.
        empty_answer_fails: a reply without text counts as a failed request once its tries are used up. Off: after its
            tries it is an answer, an empty one.
        bare_letters: an option's letter is read only where spaces and the marks ``.()[],:;!*#{}`` set it apart, in
            answers and in replies of a judge. Off: quotes, ``$``, tags and Chinese, Japanese or Korean writing set it
            apart, too.
        option_in_word: an option's text is found anywhere in an answer or reply, so ``one`` in ``none``; where it is
            part of another option's text that the answer gives, both are found and none is read. Off: it must stand by
            itself.
        open_as_choice: an open question of MMMU becomes a choice between its answer's text and ``Other Answers``, so
            that the letter A alone is right. Off: the answer is compared with the accepted ones (`scoring.mmmu`).
        million_is_base: the row with index 1,000,000, a variant of question 0, counts among the base rows in the
            further table of circular benchmarks. Off: it counts as what it is.
        single_capability_twice: MMVet counts a question that needs one capability alone twice in that capability.
        literal_grade_pairs: LLaVABench's two grades are read only when exactly one space or comma stands in their line,
            and are taken whatever numbers they are. Off: spaces and commas around them do not matter, and a grade lies
            between 0 and 10.
        unread_grades_count: an answer that the judge gave no readable grade counts as 0 (MMVet; MMDU, in the row
            ``all``), or as -1 for both answers (LLaVABench); one of which a judge's first reply tells no short answer
            counts as an empty one (documents). Off: it is left out of the means, and counted as unparsed; for a short
            answer the judge is asked up to five times.
        grades_between_braces: the judge's grades in MMDU are whatever Python dictionary stands between the first ``{``
            and the last ``}`` of its reply, so that one more brace makes all of them unreadable. Off: the last
            dictionary that names a dimension, in Python or JSON.
        whole_grades: fractions of MMDU's grades are cut off, so that 7.9 counts as 7, and not read in a text. Off: they
            count.
        judge_reply_limits: a judge's reply may have only as many tokens as in the reference (MMVet: 3; MathVision,
            MathVista, documents: 128). Off: as many as the judge is set to.
        captions_as_written: captions are compared by what stands between white space, capitals and punctuation
            included: ``Dog.`` is another word than ``dog``. Off: in lower case and without punctuation, as the COCO
            caption evaluation does (`scoring.caption_words`).
        yes_no_between_blanks: a yes or no counts only between blanks, after a fixed list of marks was deleted or turned
            into blanks. Off: it counts as a word between whatever marks.
        yes_no_as_spelled: the benchmark's own answer counts only when it is spelled ``Yes`` or ``No``, so that a row
            with ``yes`` is never right. Off: in any case of letters, and anything else is an error.
        judge_empty_answers: an answer without text is sent to a judge that is to say what it means, and that may find
            something in it. Off: it is unparsed without being judged.
        judge_unknown_again: a judge of a yes-or-no question that says ``Unknown`` is asked again, at rising
            temperature, until it says otherwise. Off: ``Unknown`` is a verdict.
        groups_across_categories: HallusionBench forms its groups of questions without their category, and reads their
            places out of an index of more than six parts as well. Off: categories are apart, and such an index is an
            error.
        unread_as_no: in POPE's F1 an answer that is neither yes nor no counts as No, for which nothing is taken off
            where No is right. Off: it is wrong there as everywhere.
        anls_given_length: ANLS divides the distance of the normalised texts by the length of the texts as given, so
            that white space around a wrong answer makes it less wrong. Off: by the length of the normalised texts.
        zero_as_text: relaxed accuracy compares with an accepted 0 as with a word: ``0.0`` is wrong. Off: it is 0.
        empty_text_everywhere: an accepted text of which nothing is left to look for (``.`` in MTVQA) stands in every
            answer. Off: an empty one stands in an empty answer only, and full stops have to be there.
        covered_refusals: in VCR an answer with words of a refusal restores nothing, even where a covered text has these
            words. Off: such words say nothing.
        chinese_words: what VCR compares in Chinese texts: the words that spaCy's model of this name finds in each, or
            characters.
        evaluated_answers: MathVision's free answers are compared by what they are worth as Python and then as sympy
            shows their LaTeX (`scoring.math_equality.evaluated_equal`). Off: as a reader compares them (`same_answer`).
        typed_answers: MathVista's free answers are right when Python's ``int`` or ``float`` of them is exactly that of
            the right answer; lists and words never are, and a zero only after a judge was asked. Off: numbers compare
            by value, rounded to the places asked for, lists by items, words as words.
        missing_as_nan: where a judge has no verdict, MathVision and MathVista read the text ``nan`` as its reply. Off:
            a missing reply names no option.
        glued_lines: SLIDEVQA deletes the line breaks of the right answer, so that ``Ana`` above ``Lopez`` becomes one
            word. Off: a line break is a space.
        repeated_words: SLIDEVQA counts a word of the answer that the right one has as often as it is repeated, so that
            F1 can exceed 1. Off: as often as both have it.
        bare_numbers: MMLongBench_DOC reads no number that is written with commas (``1,000``), and no whole number with
            ``$`` before or ``%`` behind it, even where the right answer is written so. Off: it does.
        first_page_cells: where pages are put together on a sheet, each has as much room as the first one needs, and
            larger ones are cut off. Off: as much as the largest one needs.
        first_strip_only: where pages are put together in long strips, DUDE and SLIDEVQA show only the first strip, of
            at most 20 pages. Off: all of them.
        short_videos_unseen: with ``fps``, a video that is shorter than one interval is shown by no frame at all. Off:
            by its first one.
        clips_share_frames: questions of MVBench and MVBench_MP4 on videos of one name are all shown the part of the
            first of them. Off: each is shown its own.
        subtitle_codes: italics and other styles of subtitles stand in the prompt as codes in braces. Off: they are left
            out.
        failures_are_hits: failed and missing answers count as right (MVBench, MVBench_MP4). Off: never.
        option_by_prefix: an answer is right whose first word is a part of the right option's ``(x)``, or holds it:
            ``.`` and ``(`` always are (MVBench, MVBench_MP4). Off: a letter is read (`scoring.video_letters`).
        first_capital: the first capital A to D of any word is the answer, the C of ``Cannot`` as well, and options are
            looked for in the question, where they do not stand, so that no answer in words is right (Video-MME). Off:
            a letter or the text of an option is read (`scoring.video_letters`), the options from their own column.
        any_rating: a judge's rating in MMBench-Video is read only from a reply that is nothing but a whole number, and
            may be any. Off: the one number in the reply, from 0 to 3.
        packed_lines_as_written: answers to several questions in one reply that is no sound JSON are read line by line
            without the spaces before a line being dropped, and end at a colon (MMBench-Video with ``pack``).
    """

    name: str
    pandas_cells: bool = False
    cached_images: bool = False
    localize_above_bytes: int | None = None
    round_trip_table: bool = False
    failed_text: str | None = None
    keep_system_prompt: bool = False
    empty_answer_fails: bool = False
    bare_letters: bool = False
    option_in_word: bool = False
    open_as_choice: bool = False
    million_is_base: bool = False
    single_capability_twice: bool = False
    literal_grade_pairs: bool = False
    unread_grades_count: bool = False
    grades_between_braces: bool = False
    whole_grades: bool = False
    judge_reply_limits: bool = False
    captions_as_written: bool = False
    yes_no_between_blanks: bool = False
    yes_no_as_spelled: bool = False
    judge_empty_answers: bool = False
    judge_unknown_again: bool = False
    groups_across_categories: bool = False
    unread_as_no: bool = False
    anls_given_length: bool = False
    zero_as_text: bool = False
    empty_text_everywhere: bool = False
    covered_refusals: bool = False
    chinese_words: ChineseWords = "characters"
    evaluated_answers: bool = False
    typed_answers: bool = False
    missing_as_nan: bool = False
    glued_lines: bool = False
    repeated_words: bool = False
    bare_numbers: bool = False
    first_page_cells: bool = False
    first_strip_only: bool = False
    short_videos_unseen: bool = False
    clips_share_frames: bool = False
    subtitle_codes: bool = False
    failures_are_hits: bool = False
    option_by_prefix: bool = False
    first_capital: bool = False
    any_rating: bool = False
    packed_lines_as_written: bool = False


EYECHART: Final = Protocol(name="eyechart")
VLMEVAL: Final = Protocol(
    name="vlmeval",
    pandas_cells=True,
    cached_images=True,
    localize_above_bytes=1_000_000_000,
    round_trip_table=True,
    failed_text=FAILED_TEXT,
    keep_system_prompt=True,
    empty_answer_fails=True,
    bare_letters=True,
    option_in_word=True,
    open_as_choice=True,
    million_is_base=True,
    single_capability_twice=True,
    literal_grade_pairs=True,
    unread_grades_count=True,
    grades_between_braces=True,
    whole_grades=True,
    judge_reply_limits=True,
    captions_as_written=True,
    yes_no_between_blanks=True,
    yes_no_as_spelled=True,
    judge_empty_answers=True,
    judge_unknown_again=True,
    groups_across_categories=True,
    unread_as_no=True,
    anls_given_length=True,
    zero_as_text=True,
    empty_text_everywhere=True,
    covered_refusals=True,
    chinese_words="zh_core_web_sm",
    evaluated_answers=True,
    typed_answers=True,
    missing_as_nan=True,
    glued_lines=True,
    repeated_words=True,
    bare_numbers=True,
    first_page_cells=True,
    first_strip_only=True,
    short_videos_unseen=True,
    clips_share_frames=True,
    subtitle_codes=True,
    failures_are_hits=True,
    option_by_prefix=True,
    first_capital=True,
    any_rating=True,
    packed_lines_as_written=True,
)
PROTOCOLS: Final = MappingProxyType({p.name: p for p in (EYECHART, VLMEVAL)})


def resolve_protocol(protocol: str | Protocol) -> Protocol:
    """Returns the protocol of that name, or the given one as it is.

    Raises:
        ConfigError: no protocol has this name.
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise ConfigError(f"unknown protocol {protocol!r}; there are: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol]
