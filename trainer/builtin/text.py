"""The miniature's two tokenizers and two CLIP text encoders."""

import json

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

import trainer.world
from trainer.builtin.worlds import World

START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS = 77
WIDTH = 64
MERGES = 200


def new_tokenizers(world: World = trainer.world) -> tuple[CLIPTokenizer, CLIPTokenizer]:
    """Byte-level BPE learnt from every caption of the world; padded as SDXL's pair is ("<|endoftext|>", "!")."""
    vocab, merges = _learn_bpe(world)
    pair = [CLIPTokenizer(vocab=vocab, merges=merges, pad_token=pad, model_max_length=TOKENS) for pad in (END, "!")]
    return pair[0], pair[1]


def new_text_encoders(tokenizer: CLIPTokenizer) -> tuple[CLIPTextModel, CLIPTextModelWithProjection]:
    """Two untrained encoders of three layers; the UNet reads their second-last hidden states, as in SDXL."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config), CLIPTextModelWithProjection(config)


def _learn_bpe(world: World) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges. Every byte is in the vocabulary twice (inside a word, ending it): nothing is unknown."""
    captions = (prompt for scene in world.all_scenes() for prompt in world.phrasings(scene))
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    singles = letters + [letter + "</w>" for letter in letters]
    trainer = trainers.BpeTrainer(vocab_size=len(letters) * 2 + MERGES, end_of_word_suffix="</w>", show_progress=False)
    learner.train_from_iterator(captions, trainer)
    merges = [(left, right) for left, right in json.loads(learner.to_str())["model"]["merges"]]
    pieces = dict.fromkeys(singles + [left + right for left, right in merges] + [START, END])
    return {piece: number for number, piece in enumerate(pieces)}, merges
