"""What the model can draw: a curated, balanced list of concepts and the pairs it never sees.

A line of the table is one concept: its emoji, its English name (commas before synonyms) and its
Chinese names. The first name is canonical: captions use it, and the tokenizer reads every other
name as if it were that one.

Three lists of pairs are held out of training, to tell drawing from remembering: a concept in a
style, in a colour, or on a background that it was never shown with, while both parts were.
"""

from dataclasses import dataclass

from core.diffusion.sources import code_of

_TABLE = {
    "animals": """
        🐶 dog,puppy | 狗,小狗
        🐺 wolf | 狼
        🦊 fox | 狐狸
        🦝 raccoon | 浣熊
        🐱 cat,kitten,kitty | 猫,猫咪,小猫
        🦁 lion | 狮子
        🐯 tiger | 老虎,虎
        🐴 horse,pony | 马
        🦄 unicorn | 独角兽
        🦓 zebra | 斑马
        🦌 deer | 鹿
        🐮 cow | 奶牛,牛
        🐷 pig | 猪
        🐑 sheep,ewe | 绵羊,羊
        🐐 goat | 山羊
        🐫 camel | 骆驼
        🦒 giraffe | 长颈鹿
        🐘 elephant | 大象,象
        🦏 rhinoceros,rhino | 犀牛
        🦛 hippopotamus,hippo | 河马
        🐭 mouse | 老鼠,鼠
        🐹 hamster | 仓鼠
        🐰 rabbit,bunny | 兔子,兔
        🦔 hedgehog | 刺猬
        🦇 bat | 蝙蝠
        🐻 bear | 熊
        🐨 koala | 考拉
        🐼 panda | 熊猫
        🦥 sloth | 树懒
        🦘 kangaroo | 袋鼠
        🐵 monkey | 猴子,猴
        🐔 chicken,hen | 母鸡,鸡
        🐤 chick | 小鸡
        🐧 penguin | 企鹅
        🦅 eagle | 老鹰,鹰
        🦆 duck | 鸭子,鸭
        🦢 swan | 天鹅
        🦉 owl | 猫头鹰
        🦩 flamingo | 火烈鸟
        🦚 peacock | 孔雀
        🦜 parrot | 鹦鹉
        🐸 frog | 青蛙,蛙
        🐊 crocodile,alligator | 鳄鱼
        🐢 turtle,tortoise | 乌龟,龟
        🐍 snake | 蛇
        🐲 dragon | 龙
        🦖 dinosaur,t-rex | 恐龙,霸王龙
        🐳 whale | 鲸鱼,鲸
        🐬 dolphin | 海豚
        🐠 fish | 鱼,热带鱼
        🐡 blowfish,pufferfish | 河豚
        🦈 shark | 鲨鱼
        🐙 octopus | 章鱼
        🦀 crab | 螃蟹,蟹
        🦞 lobster | 龙虾
        🐌 snail | 蜗牛
        🦋 butterfly | 蝴蝶
        🐝 bee,honeybee | 蜜蜂
        🐞 ladybug,ladybird | 瓢虫
        🕷️ spider | 蜘蛛
    """,
    "food": """
        🍇 grapes,grape | 葡萄
        🍉 watermelon | 西瓜
        🍊 orange | 橙子,橘子
        🍋 lemon | 柠檬
        🍌 banana | 香蕉
        🍍 pineapple | 菠萝
        🍎 apple | 苹果
        🍐 pear | 梨
        🍑 peach | 桃子,桃
        🍒 cherry,cherries | 樱桃
        🍓 strawberry | 草莓
        🥝 kiwi | 猕猴桃
        🍅 tomato | 西红柿,番茄
        🥥 coconut | 椰子
        🥑 avocado | 牛油果,鳄梨
        🍆 eggplant,aubergine | 茄子
        🥕 carrot | 胡萝卜
        🌽 corn,maize | 玉米
        🌶️ chili,chilli | 辣椒
        🥒 cucumber | 黄瓜
        🥦 broccoli | 西兰花
        🧅 onion | 洋葱
        🍞 bread | 面包
        🥐 croissant | 羊角面包,牛角包
        🥨 pretzel | 椒盐卷饼
        🥞 pancakes,pancake | 煎饼,薄饼
        🧀 cheese | 奶酪,芝士
        🥓 bacon | 培根
        🍔 hamburger,burger | 汉堡包,汉堡
        🍟 french fries,fries,chips | 薯条
        🍕 pizza | 披萨,比萨
        🌭 hot dog,hotdog | 热狗
        🥪 sandwich | 三明治
        🌮 taco | 墨西哥卷饼
        🍳 egg | 煎蛋,鸡蛋,蛋
        🍿 popcorn | 爆米花
        🍣 sushi | 寿司
        🍦 ice cream,icecream | 冰淇淋,冰激凌
        🍩 doughnut,donut | 甜甜圈
        🍪 cookie,biscuit | 饼干
        🎂 cake | 蛋糕,生日蛋糕
        🧁 cupcake | 纸杯蛋糕
        🍫 chocolate | 巧克力
        🍬 candy,sweet | 糖果,糖
        🍭 lollipop | 棒棒糖
        🍯 honey | 蜂蜜
        🥛 milk | 牛奶
        ☕ coffee,cup of coffee | 咖啡
        🍺 beer | 啤酒
        🍷 wine | 葡萄酒,红酒
    """,
    "nature": """
        🌹 rose | 玫瑰
        🌻 sunflower | 向日葵
        🌷 tulip | 郁金香
        🌸 cherry blossom,blossom | 樱花
        🌲 fir tree,pine tree,pine | 松树,杉树
        🌳 tree | 大树,树
        🌴 palm tree,palm | 棕榈树,椰子树
        🌵 cactus | 仙人掌
        🍀 clover | 四叶草,三叶草
        🍁 maple leaf | 枫叶
        🍄 mushroom,toadstool | 蘑菇
        🌍 earth,globe | 地球
        🌙 moon | 月亮,弯月
        ☀️ sun | 太阳
        ⭐ star | 星星,星
        🪐 planet,saturn | 行星,土星
        ☁️ cloud | 白云,云
        🌈 rainbow | 彩虹
        ⚡ lightning | 闪电
        ❄️ snowflake | 雪花
        ⛄ snowman | 雪人
        🔥 fire,flame | 火焰,火
        💧 water drop,droplet | 水滴
        🌊 wave,sea | 海浪,浪花
        🌋 volcano | 火山
        🏔️ mountain | 雪山,高山,山
    """,
    "vehicles": """
        🚗 car,automobile | 汽车,小汽车,轿车
        🚕 taxi,cab | 出租车
        🚌 bus | 公交车,巴士
        🚑 ambulance | 救护车
        🚒 fire truck,firetruck,fire engine | 消防车
        🚚 truck,lorry | 卡车,货车
        🚜 tractor | 拖拉机
        🏎️ racing car,race car,racecar | 赛车
        🛵 scooter | 踏板车,小型摩托车
        🚲 bicycle,bike | 自行车
        🚂 steam train,locomotive | 蒸汽火车,火车头
        🚆 train | 火车
        ⛵ sailboat | 帆船
        🚢 ship | 轮船,船
        ✈️ airplane,plane,aeroplane | 飞机
        🚁 helicopter | 直升机
        🚀 rocket | 火箭
        🛸 ufo,flying saucer | 飞碟
    """,
    "faces": """
        😀 grinning face,happy face,smiley | 笑脸
        😂 laughing face,tears of joy | 笑哭
        😍 love face,heart eyes | 花痴
        😎 sunglasses face,cool face | 墨镜笑脸
        😭 crying face,sad face | 大哭
        😡 angry face | 生气
        😱 screaming face,scared face | 尖叫
        😴 sleeping face | 睡觉
        🤔 thinking face | 思考
        🤢 sick face | 恶心
        🤠 cowboy face,cowboy | 牛仔
        🥳 party face | 派对
        😇 angel | 天使
        😈 devil | 恶魔
        💀 skull | 骷髅
        👻 ghost | 幽灵,鬼
        👽 alien | 外星人
        🤖 robot | 机器人
        🤡 clown | 小丑
        🎃 pumpkin,jack-o-lantern | 南瓜灯,南瓜
    """,
    "things": """
        🏠 house,home | 房子,屋子
        🏰 castle | 城堡
        ⛺ tent | 帐篷
        🎡 ferris wheel | 摩天轮
        ⏰ alarm clock,clock | 闹钟,时钟,钟
        ☂️ umbrella | 雨伞,伞
        🎈 balloon | 气球
        🎁 gift,present | 礼物
        🎄 christmas tree | 圣诞树
        🏆 trophy | 奖杯
        🥇 medal | 金牌,奖牌
        ⚽ football,soccer ball | 足球
        🏀 basketball | 篮球
        🎾 tennis ball | 网球
        🎲 die,dice | 骰子
        🧸 teddy bear,teddy | 泰迪熊,玩具熊
        🎨 paint palette,palette | 调色盘
        👕 shirt,t-shirt | 衬衫,T恤
        👖 jeans,trousers | 牛仔裤,裤子
        👗 dress | 连衣裙,裙子
        👟 sneaker,shoe | 运动鞋,鞋
        👑 crown | 皇冠,王冠
        🎩 top hat,hat | 礼帽,帽子
        👓 glasses | 眼镜
        🎒 backpack | 书包,背包
        💎 diamond,gem | 钻石,宝石
        💍 ring | 戒指
        🔔 bell | 铃铛,铃
        🎧 headphones,headphone | 耳机
        📻 radio | 收音机
        🎸 guitar | 吉他
        🎻 violin | 小提琴
        🎺 trumpet | 小号
        🥁 drum | 鼓
        📷 camera | 照相机,相机
        💻 laptop,computer | 笔记本电脑,电脑
        📺 television,tv | 电视机,电视
        💡 light bulb,bulb | 灯泡
        🕯️ candle | 蜡烛
        📕 book | 书本,书
        ✏️ pencil | 铅笔
        ✂️ scissors | 剪刀
        🔑 key | 钥匙
        🔨 hammer | 锤子
        💣 bomb | 炸弹
        🪑 chair | 椅子
        🚪 door | 门
        ❤️ heart | 爱心,心
        ⚓ anchor | 锚
        🧲 magnet | 磁铁
    """,
}

# What a short training should favour: the things that people ask for first.
FAVOURITES = frozenset(
    """
    dog,cat,panda,tiger,fox,lion,bear,rabbit,frog,penguin,owl,chick,elephant,whale,fish,octopus,
    turtle,butterfly,bee,ladybug,unicorn,pig,apple,banana,strawberry,watermelon,orange,lemon,cherry,
    grapes,carrot,tomato,pizza,hamburger,doughnut,cake,ice cream,egg,mushroom,avocado,sun,moon,star,
    cloud,rainbow,rose,sunflower,tulip,tree,cactus,fire,snowman,car,bus,rocket,airplane,train,
    sailboat,bicycle,ufo,grinning face,crying face,angry face,sunglasses face,love face,ghost,robot,
    pumpkin,house,balloon,gift,heart,crown,top hat,book,guitar,football,umbrella,light bulb,key
    """.replace("\n    ", "")
    .strip()
    .split(",")
)

# (concept, style), (concept, colour) and (concept, background colour) never shown in training.
HELD_OUT_STYLES = (
    ("panda", "flat"), ("tiger", "noto"), ("owl", "3d"), ("frog", "flat"), ("octopus", "noto"),
    ("apple", "noto"), ("pizza", "3d"), ("carrot", "flat"), ("doughnut", "noto"), ("cake", "flat"),
    ("tulip", "3d"), ("cactus", "noto"), ("sun", "flat"), ("car", "noto"), ("rocket", "flat"),
    ("bus", "3d"), ("robot", "flat"), ("ghost", "noto"), ("umbrella", "flat"), ("guitar", "noto"),
    ("balloon", "3d"), ("crown", "noto"),
)  # fmt: skip
HELD_OUT_COLOURS = (
    ("strawberry", "blue"), ("apple", "purple"), ("banana", "green"), ("carrot", "blue"),
    ("pumpkin", "green"), ("tomato", "yellow"), ("hamburger", "purple"), ("doughnut", "blue"),
    ("dog", "green"), ("cat", "blue"), ("panda", "pink"), ("fox", "green"), ("elephant", "pink"),
    ("frog", "red"), ("penguin", "green"), ("turtle", "blue"), ("whale", "yellow"),
    ("crab", "green"), ("butterfly", "green"), ("dragon", "red"), ("rose", "blue"),
    ("tree", "purple"), ("sun", "green"), ("heart", "green"), ("fire", "purple"),
    ("car", "green"), ("bus", "purple"), ("rocket", "yellow"), ("train", "pink"),
    ("balloon", "green"), ("umbrella", "yellow"), ("robot", "orange"), ("ghost", "blue"),
    ("house", "blue"), ("book", "purple"), ("top hat", "red"), ("guitar", "green"),
    ("bell", "blue"),
)  # fmt: skip
HELD_OUT_BACKGROUNDS = (
    ("panda", "yellow"), ("dog", "blue"), ("cat", "pink"), ("penguin", "red"), ("frog", "purple"),
    ("tiger", "green"), ("owl", "orange"), ("butterfly", "black"), ("apple", "blue"),
    ("pizza", "pink"), ("strawberry", "yellow"), ("hamburger", "green"), ("tulip", "black"),
    ("sun", "purple"), ("car", "yellow"), ("rocket", "orange"), ("robot", "pink"),
    ("ghost", "green"), ("house", "purple"), ("guitar", "blue"),
)  # fmt: skip


@dataclass(frozen=True)
class Concept:
    """One thing that the model can draw.

    `aliases` and `aliases_zh` are other names; the first Chinese name is used in captions.
    """

    name: str
    group: str
    emoji: str
    code: str
    aliases: tuple[str, ...]
    aliases_zh: tuple[str, ...]


def _parse(line: str, group: str) -> Concept:
    english, chinese = line.split("|")
    emoji, names = english.split(maxsplit=1)
    name, *aliases = names.strip().split(",")
    names_zh = tuple(chinese.strip().split(","))
    return Concept(name, group, emoji, code_of(emoji), tuple(aliases), names_zh)


CONCEPTS = tuple(
    _parse(line.strip(), group)
    for group, lines in _TABLE.items()
    for line in lines.strip().splitlines()
)
