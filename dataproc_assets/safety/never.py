"""What is never released, as constants: configuration can add to them and take nothing away."""

SEXUALISED_MINORS = (
    *("loli", "shota", "lolicon", "shotacon", "toddlercon", "toddler_con"),
    *("oppai_loli", "lolidom", "onee_shota", "straight_shota"),
    # romaji; `rori` alone is also a name
    *("rorikon", "roricon", "shotakon", "syota", "syotacon", "syotakon"),
    *("ロリ", "ショタ", "ロリコン", "ショタコン", "ロリショタ", "ショタロリ"),
    *("ケモロリ", "ケモショタ", "エロロリ", "エロショタ", "ペドロリ", "オネショタ"),
    *("ろり", "しょた", "ろりこん", "しょたこん", "おねしょた", "ろりっ娘", "ろりっ子"),
    *("萝莉", "蘿莉", "羅莉", "正太"),
    *("로리", "쇼타", "로리콘", "쇼타콘", "오네쇼타"),
    *("лоли", "лоликон", "шота", "шотакон"),
)
CHILDREN = (
    *("child", "male_child", "female_child", "aged_down", "children", "kodomo", "youjo"),
    *("子供", "子ども", "こども", "コドモ", "幼児", "幼女", "幼童", "女児", "男児", "ようじょ"),
    *("儿童", "兒童", "小孩", "어린이", "아동"),
    *("ребенок", "дети"),
)
ADULT_RATINGS = ("questionable", "explicit")
ADULT_TAGS = ("r18", "r18g", "nsfw", "成人向け")
